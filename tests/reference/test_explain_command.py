"""`unexpire explain` from outside: real processes, pipes, files and a terminal."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TOKEN = "An error occurred (ExpiredToken) when calling the GetAccessKeyInfo operation: The security token included in the request is expired"

QUIET = "".join(f"2026-10-10T10:00:00Z INFO request {number} was answered\n" for number in range(30_000))
NOISE = "".join(f"{random.Random(number).randbytes(32).hex()}\n" for number in range(40_000))
"""What hardly packs, so that a packed file that lost its end has lost none of what stands before."""

_CACHE: dict[str, Path] = {}


@pytest.fixture(scope="module", autouse=True)
def _index_is_built_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """AWS's codes are indexed once for all tests that do not look at the index itself."""
    _CACHE["folder"] = tmp_path_factory.mktemp("cache")


def run(
    *arguments: str, text: str = "", cache: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """`python -m unexpire explain …` with nothing of this machine's own in its environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONUTF8": "1",
        "UNEXPIRE_CACHE_DIR": str(cache or _CACHE["folder"]),
        **variables,
    }
    if "SYSTEMROOT" in os.environ:
        environment["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
    command = [sys.executable, "-m", "unexpire", "explain", *arguments]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, encoding="utf-8", env=environment, timeout=60, check=False
    )


@pytest.mark.parametrize("name", ["ExpiredToken", "expiredtoken", "expired-session"])
def test_a_name_prints_its_page(name: str) -> None:
    done = run(name)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].startswith("ExpiredToken: ")
    assert "MEANING" in done.stdout


def test_a_name_into_a_pipe_imports_nothing_heavy() -> None:
    code = (
        "import unexpire.__main__ as front\n"
        "module, _, function = front._FAST_LANES['explain'].partition(':')\n"
        "__import__(module)\n"
        "code = getattr(sys.modules[module], function)(['ExpiredToken'])\n"
        "heavy = {'click', 'rich', 'botocore', 'dataclasses', 'json', 'pathlib', 're', 'typing', 'datetime'} & set(sys.modules)\n"
        "print(code, sorted(heavy), file=sys.stderr)\n"
    )
    command = [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stderr.splitlines()[-1] == "0 []"


def test_a_pipe_that_speaks_only_ascii_gets_the_page_too() -> None:
    done = run("ExpiredToken", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.isascii()


@pytest.mark.parametrize("how", ["words", "one argument", "stdin", "dash", "file"])
def test_a_text_is_explained_wherever_it_comes_from(how: str, tmp_path: Path) -> None:
    path = tmp_path / "build.log"
    path.write_text(f"step 1\n{TOKEN}\n", encoding="utf-8")
    done = {
        "words": lambda: run(*TOKEN.split()),
        "one argument": lambda: run(TOKEN),
        "stdin": lambda: run(text=TOKEN),
        "dash": lambda: run("-", text=TOKEN),
        "file": lambda: run(str(path)),
    }[how]()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ExpiredToken: ")
    assert "sts GetAccessKeyInfo" in done.stdout
    assert "unexpire explain ExpiredToken" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_a_log_in_utf_16_is_read_as_powershell_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_bytes(TOKEN.encode("utf-16"))
    assert run(str(path)).stdout.startswith("ExpiredToken: ")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_log_is_read_as_far_as_it_goes(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(f"{QUIET}{TOKEN}\n{NOISE}".encode())
    whole, cut, torn = tmp_path / "app.log.1", tmp_path / "cut", tmp_path / "torn"
    whole.write_bytes(packed)
    cut.write_bytes(packed[: len(packed) * 7 // 8])
    torn.write_bytes(packed[: len(packed) * 7 // 8] + b"\0" * 100)
    for path in (whole, cut, torn):
        lines = run(str(path)).stdout.splitlines()
        assert lines[0].startswith("ExpiredToken: ")
        assert lines[1] == "  seen      line 30001"
    command = [sys.executable, "-m", "unexpire", "diagnose", "--offline", "--json", str(whole)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert "expired-session" in [finding["code"] for finding in json.loads(done.stdout)["findings"]]


@pytest.mark.parametrize("before", ["", QUIET], ids=["short", "long"])
def test_what_windows_powershell_writes_is_read(tmp_path: Path, before: str) -> None:
    """Its `>` writes UTF-16 with a mark, its `>>` UTF-16 without one, whatever the file began with."""
    new, continued = tmp_path / "new.log", tmp_path / "continued.log"
    new.write_bytes(f"{before}Zürich\r\n{TOKEN}\r\n".encode("utf-16"))
    continued.write_bytes(f"{before}one\n".encode() + f"{TOKEN}\r\n".encode("utf-16-le") + b"\0" * 3_000_000)
    for path in (new, continued):
        found = json.loads(run("--json", str(path)).stdout)["matches"][0]
        assert (found["code"], found["first_line"]) == ("ExpiredToken", before.count("\n") + 2)


@pytest.mark.parametrize(("start", "tool"), [(b"\x28\xb5\x2f\xfd\x24", "zstd -dc"), (b"PK\x03\x04\x14\0", "unzip -p")])
def test_what_cannot_be_unpacked_is_not_taken_for_a_text_without_an_error(
    tmp_path: Path, start: bytes, tool: str
) -> None:
    path = tmp_path / "app.log.1"
    path.write_bytes(start + bytes(range(256)))
    for command in ("explain", "diagnose"):
        done = subprocess.run(
            [sys.executable, "-m", "unexpire", command, str(path)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2
        assert f"{tool} FILE |" in " ".join(done.stderr.split())


def test_json_has_the_facts(tmp_path: Path) -> None:
    report = json.loads(run("--json", text=f"2026-10-10T10:00:00Z start\n{TOKEN}\n").stdout)
    assert (report["schema"], report["kind"], report["explained"]) == (1, "text", True)
    (match,) = report["matches"]
    assert (match["code"], match["service"], match["operation"], match["first_line"]) == (
        "ExpiredToken",
        "sts",
        "GetAccessKeyInfo",
        2,
    )
    assert match["causes"][0]["label"] == "expired_static_copy"
    assert all(cause["title"] and cause["tell"] for cause in match["causes"])
    assert json.loads(run("--json", "ExpiredToken").stdout)["page"]["name"] == "ExpiredToken"


def test_rows_are_answered_in_order() -> None:
    rows = [{"id": "b", "text": TOKEN}, {"id": "a", "text": "all is well"}]
    done = run("--jsonl", text="".join(json.dumps(row) + "\n" for row in rows))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == ["b", "a"]
    assert answers[0] | {"causes": []} == {
        "id": "b",
        "aws_auth": True,
        "code": "ExpiredToken",
        "causes": [],
        "expiry_related": True,
    }
    assert answers[1] == {"id": "a", "aws_auth": False, "code": None, "causes": [], "expiry_related": False}


def test_a_reader_that_has_had_enough_is_no_wrong_use(tmp_path: Path) -> None:
    rows, log = tmp_path / "rows.jsonl", tmp_path / "log.txt"
    rows.write_text(f"{json.dumps({'id': '1', 'text': TOKEN})}\n" * 5, encoding="utf-8")
    log.write_text(TOKEN, encoding="utf-8")
    for arguments in (("--jsonl", str(rows)), (str(log),)):
        reader, writer = os.pipe()
        os.close(reader)
        command = [sys.executable, "-m", "unexpire", "explain", *arguments]
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        os.close(writer)
        assert "Usage" not in done.stderr
        assert "Traceback" not in done.stderr


def test_a_row_that_is_none_is_named() -> None:
    done = run("--jsonl", text='{"id": 1, "text": "x"}\nnot json\n')
    assert done.returncode == 2
    assert "line 2" in done.stderr


def test_what_is_not_ours_ends_with_1_and_says_so() -> None:
    done = run("google.auth.exceptions.RefreshError: ('invalid_grant: Bad Request',)")
    assert (done.returncode, done.stderr) == (1, "")
    assert "Not an AWS credential error" in done.stdout
    assert "Google" in done.stdout
    throttled = run(
        "An error occurred (ThrottlingException) when calling the ListRoles operation: Rate exceeded"
    ).stdout
    assert throttled.splitlines() == [
        "Not an AWS credential error: AWS limits the rate of these calls.",
        "  more      unexpire explain throttled",
    ]
    assert run(text="all is well").returncode == 1


def test_another_code_of_aws_is_looked_up_once_and_kept(tmp_path: Path) -> None:
    done = run("nosuchbucket", cache=tmp_path / "cache")
    assert done.returncode == 0
    assert done.stdout.startswith("NoSuchBucket: ")
    assert "AWS's own text" in done.stdout
    assert "The specified bucket does not exist" in done.stdout
    (kept,) = (tmp_path / "cache").glob("aws-errors-*.json")
    known = json.loads(kept.read_text(encoding="utf-8"))
    kept.write_text(
        json.dumps({"NoSuchBucket": [["s3", "NoSuchBucket", 404, False, "from the cache", [], 0]]}), encoding="utf-8"
    )
    assert "from the cache" in run("NoSuchBucket", cache=tmp_path / "cache").stdout
    kept.write_text("{", encoding="utf-8")
    assert "does not exist" in run("NoSuchBucket", cache=tmp_path / "cache").stdout
    assert json.loads(kept.read_text(encoding="utf-8")) == known


def test_a_name_that_nobody_knows_gets_the_nearest() -> None:
    done = run("ExpierdToken")
    assert done.returncode == 1
    assert "did you mean ExpiredToken" in done.stderr
    assert run("qqqqqqqq").returncode == 1


@pytest.mark.parametrize(
    ("written", "page"), [("expired token", "ExpiredToken"), ("HTTP 403", "HTTP403"), ("400", "HTTP400")]
)
def test_a_name_is_found_however_its_words_are_put_together(written: str, page: str) -> None:
    assert run(*written.split()).stdout == run(page).stdout


def test_a_topic_gets_the_pages_about_it() -> None:
    done = run("role", "chaining")
    assert done.returncode == 1
    assert "unexpire explain role-chain-limit" in done.stderr
    assert json.loads(run("--json", "mfa").stdout)["nearest"][:2] == ["mfa-failed", "mfa-required"]


@pytest.mark.parametrize(
    ("written", "first"),
    [
        ("Expired", "ExpiredToken"),  # AWS has an ExpiredException as well, of one service
        ("TokenExpired", "ExpiredToken"),
        ("InvalidClientToken", "InvalidClientTokenId"),
        ("bedrock", "bedrock-key"),
    ],
)
def test_a_page_goes_before_a_code_that_differs_by_its_ending(written: str, first: str) -> None:
    named = json.loads(run("--json", written).stdout)
    assert (named["explained"], named["nearest"][0]) == (False, first)


def test_what_stands_in_no_name_is_found_misspelt_or_in_the_pages() -> None:
    misspelt = json.loads(run("--json", "expird", "tokn").stdout)["nearest"]
    assert misspelt[0] == "ExpiredToken"
    assert "endpoint-unreachable" in json.loads(run("--json", "proxy").stdout)["nearest"]
    assert "metadata-unreachable" in json.loads(run("--json", "imds").stdout)["nearest"]


def test_a_text_that_only_names_a_code_is_led_to_its_page() -> None:
    """Such a code proves nothing as a word in running text, but whoever asks about it wants to read about it."""
    short = run("failed: InvalidGrantException")
    assert (short.returncode, short.stdout) == (1, "")
    assert "    unexpire explain InvalidGrantException  the SSO refresh token is dead" in short.stderr
    words = "it broke with InvalidGrantException after we had closed the browser and tried again"
    assert "unexpire explain InvalidGrantException" in " ".join(run(words).stdout.split())
    assert json.loads(run("--json", words).stdout)["nearest"] == ["InvalidGrantException"]
    assert "Unauthorized" not in run("they say Unauthorized, and nothing more in all of this log of ours").stdout


def test_a_code_that_only_the_sentence_stands_for_is_not_looked_up_in_another_s_text() -> None:
    done = run("AADSTS700082: The refresh token has expired due to inactivity")
    assert done.stdout == "Not an AWS credential error: Microsoft Entra ID (Azure AD).\n"


def test_a_file_that_is_not_there_is_not_taken_for_a_text(tmp_path: Path) -> None:
    done = run(str(tmp_path / "build.log"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "no such file" in done.stderr
    assert "directory" in run(str(tmp_path)).stderr


def test_a_wrong_use_is_a_usage_error(tmp_path: Path) -> None:
    assert run("--no-such-option", "x").returncode == 2
    assert run("--jsonl", str(tmp_path / "nowhere")).returncode == 2


def test_a_presigned_url_is_read_offline() -> None:
    done = run(
        "https://shop.s3.amazonaws.com/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAQWERTYUIOPASDFGH%2F20200101%2Fus-east-1%2Fs3%2F"
        "aws4_request&X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Security-Token=hush&X-Amz-Signature=0f"
    )
    assert done.returncode == 0
    assert done.stdout.startswith("a presigned URL that ended ")
    assert "2020-01-01T00:01:00Z" in done.stdout
    assert "unexpire explain presigned-url-expired" in done.stdout
    assert "hush" not in done.stdout


def test_a_presigned_url_that_a_program_was_refused_with_is_read_too() -> None:
    url = (
        "https://shop.s3.amazonaws.com/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAQWERTYUIOPASDFGH%2F20200101%2Fus-east-1%2Fs3%2F"
        "aws4_request&X-Amz-Date=20200101T000000Z&X-Amz-Expires=60000&X-Amz-SignedHeaders=host&X-Amz-Security-Token=hush&X-Amz-Signature=0f"
    )
    denied = run("-", text=f"requests.exceptions.HTTPError: 403 Client Error: Forbidden for url: {url}")
    assert denied.stdout.startswith("HTTP 403 for a presigned URL that ended ")
    assert "it asks for 16 h 40 min, and hardly a session lasts so long" in " ".join(denied.stdout.split())
    bad = run("-", text=f"requests.exceptions.HTTPError: 400 Client Error: Bad Request for url: {url}")
    assert "S3 answers 400 when a session has ended" in " ".join(bad.stdout.split())
    missing = run("-", text=f"requests.exceptions.HTTPError: 404 Client Error: Not Found for url: {url}")
    assert missing.returncode == 1
    assert "AWS took the signature" in missing.stdout
    assert "hush" not in denied.stdout + bad.stdout + missing.stdout


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is POSIX's")


def on_a_terminal(*arguments: str, pager: str, rows: int = 24, **variables: str) -> str:
    """What a terminal of 100 columns shows of the command, which must end by itself and well."""
    import fcntl
    import pty
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 100, 0, 0))
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "PYTHONUTF8": "1", "PAGER": pager} | variables
    process = subprocess.Popen(
        [sys.executable, "-m", "unexpire", "explain", *arguments], stdout=follower, stdin=follower, env=environment
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # Linux says EIO when the last writer is gone
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    assert process.wait(timeout=60) == 0
    return shown.decode()


@POSIX
def test_on_a_terminal_a_page_is_coloured_and_fits() -> None:
    text = on_a_terminal("ExpiredToken", pager="cat")
    assert "\x1b[1m" in text
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r", "").splitlines()
    assert lines[0].startswith("ExpiredToken: ")
    assert "  AWS CLI v2:" in lines
    assert "`" not in "".join(line for line in lines if not line.startswith("      "))
    assert max(map(len, lines)) <= 100


@POSIX
def test_whoever_wants_no_colours_gets_none() -> None:
    assert "\x1b[" not in on_a_terminal("ExpiredToken", pager="cat", NO_COLOR="1")


@POSIX
def test_on_a_terminal_a_page_goes_through_the_users_pager() -> None:
    assert "1:" in on_a_terminal("ExpiredToken", pager="grep -n ExpiredToken").splitlines()[0]


@POSIX
@pytest.mark.skipif(shutil.which("less") is None, reason="no less here")
def test_what_fits_on_the_screen_is_printed_and_asks_for_no_key() -> None:
    """`less` would wait for a key here, where nobody types one."""
    assert "RELATED ERRORS" in on_a_terminal("ExpiredToken", pager="", rows=1000)


@POSIX
def test_the_answer_to_a_text_is_short_and_goes_through_no_pager() -> None:
    assert "Likely causes" in on_a_terminal("The provided token has expired.", pager="false")


def test_what_a_log_wrote_behind_the_sentence_is_not_shown_as_aws_s_words(tmp_path: Path) -> None:
    path = tmp_path / "build.log"
    path.write_text(f"start\n{TOKEN}\nstep 2 begins\nUnable to locate credentials\n", encoding="utf-8")
    lines = run(str(path)).stdout.splitlines()
    assert "  says      The security token included in the request is expired" in lines
    assert [line for line in lines if line.startswith("  also")] == ["  also      NoCredentials, line 4"]


def test_a_code_that_few_services_retry_is_not_said_to_be_retried() -> None:
    text = " ".join(run("ValidationException").stdout.split())
    assert "SDKs retry it by themselves where" in text
    assert "SDKs do not retry it." in run("NoSuchBucket").stdout
    assert "SDKs retry it by themselves." in run("InternalFailure").stdout


@pytest.mark.parametrize(
    "arguments", [("all is well",), ("NoSuchBucket",), ("ExpierdToken",), ("ExpiredToken",), ("ThrottlingException",)]
)
def test_an_answer_fits_a_window(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert max(map(len, (done.stdout + done.stderr).splitlines())) <= 100


def test_every_cause_that_nothing_in_the_text_speaks_for_comes_with_how_to_tell_it() -> None:
    said = run(
        "RequestTimeTooSkewed: The difference between the request time and the current time is too large."
    ).stdout
    causes, _, _ = said.partition("look at")
    assert re.findall(r"^  (\d)\. ", causes, re.MULTILINE) == ["1", "2", "3"]
    assert causes.count("tell: ") == 3
