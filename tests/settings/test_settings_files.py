"""The reader of the AWS files gives botocore's values, with lines; where botocore refuses a file it says where and why."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import botocore.configloader
import botocore.exceptions
import botocore.session
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from unexpire.settings.environment import Environment
from unexpire.settings.files import FILE_LIMIT, AwsFile, Origin, Section, Sourced, parse, read_aws_file
from unexpire.settings.profile import Profile, Settings

_HEADERS = [
    "[default]", "[profile dev]", '[profile "a b"]', "[profile 'dev']", "[profile x] # c]", "[ profile y ]", "[DEFAULT]", "[dev]",
    "[sso-session corp]", "[sso-session  'corp']", "[services local]", "[profiles z]", "[profile]", '[profile "broken]', "[a]b]",
    "[profile default]", "[profile a b c]", "[preview] tail",
]  # fmt: skip
_VALUES = [
    "", "x", "a = b", "x # inline", "y ; inline", "http://x:1/", '"quoted"', "\u00fc\u2028z", "a\x0cb", "c\x1cd", "\x85 e",
]  # fmt: skip
_BETWEEN = ["", " ", "# comment", "  ; comment", "\t", "#", "  # inner"]
_JUNK = [
    "novalue",
    "= v",
    ": v",
    "[x",
    "[]",
    "  [indented]",
    "\ufeff[default]",
    "  no equals",
    "[default]",
    "region = twice",
    "\x0b",
]


@st.composite
def _texts(draw: st.DrawFn) -> str:
    """A file that is mostly in order: sections, keys, continuations and blocks; and now and then a line that is not."""
    lines: list[str] = []
    for header in draw(st.lists(st.sampled_from(_HEADERS), unique=True, min_size=1, max_size=4)):
        lines.append(header)
        for key in draw(
            st.lists(st.sampled_from(["region", "S3", "aws_access_key_id", "k\u00e9y", "a b"]), unique=True, max_size=3)
        ):
            indent = draw(st.sampled_from(["", "", "", "  "])) if lines[-1] == header else ""
            lines.append(
                indent + key + draw(st.sampled_from([" = ", "=", ":", " : ", " =\t"])) + draw(st.sampled_from(_VALUES))
            )
            for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
                more = draw(
                    st.sampled_from(
                        ["    sub = 1", "\tother=2", "     deeper = x = y", "    same = 1", "   plain", *_BETWEEN]
                    )
                )
                lines.append(more)
        lines += draw(st.lists(st.sampled_from(_BETWEEN), max_size=1))
    if draw(st.sampled_from([True, False, False, False])):
        lines.insert(
            draw(st.integers(0, len(lines))),
            draw(st.sampled_from(_JUNK) | st.text(alphabet="ab[]=: \t#;\"'\u00a0", max_size=9)),
        )
    return draw(st.sampled_from(["\n", "\n", "\r\n", "\r"])).join(lines)


_TEXTS = _texts()
_HERE = Origin(path=Path("/x/config"))


def _plain(section: Section) -> dict[str, Any]:
    blocks = {key: {name: each.value for name, each in block.items()} for key, block in section.blocks.items()}
    return {key: found.value for key, found in section.values.items()} | blocks


def _read(tmp_path: Path, data: bytes) -> tuple[AwsFile, dict[str, Any] | None]:
    path = tmp_path / "config"
    path.write_bytes(data)
    theirs = None
    with contextlib.suppress(botocore.exceptions.ConfigParseError):
        theirs = botocore.configloader.raw_config_parse(str(path))
    return read_aws_file(path), theirs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def test_the_values_are_botocores(folder: Path) -> None:
    accepted = 0

    @settings(max_examples=1000, deadline=None, derandomize=True, database=None)
    @given(_TEXTS)
    @example("[default]\nx = 1\n\n  2\n# c\n  3\n\n\n[b]\n")
    @example("[DEFAULT]\nx =\n a=1\n b\n")
    @example("[DEFAULT]\nx =\n a=1\n b\n[z]\n")
    @example("[a]\nx = 1\n y = 2\nz = 3\n[b]\n  q = 1\n   r = 2\n")
    def agree(text: str) -> None:
        nonlocal accepted
        ours, theirs = _read(folder, text.encode())
        if theirs is None:
            assert ours.refusal is not None
            assert ours.refusal.origin.line is not None
            assert ours.refusal.hint
            return
        accepted += any(theirs.values())
        assert ours.refusal is None
        assert {name: _plain(section) for name, section in ours.sections.items()} == theirs

    agree()
    assert accepted > 400, "too few files with a value in them: the agreement says little"


@settings(max_examples=250, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=60) | _TEXTS.map(lambda text: b"[a]\nb = \xe4\n" + text.encode()))
def test_no_bytes_make_it_raise(folder: Path, data: bytes) -> None:
    ours, theirs = _read(folder, data)
    assert (ours.refusal is None) == (theirs is not None)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(_TEXTS, _TEXTS)
@example("[profile x]\na = 1\nb = 1\nc =\n  d = 1\n", "[x]\nb = 2\nc = plain\n[profile x]\nq = 1\n")
@example('[profile x]\na = 1\n[profile "x"]\nb = 1\n[profile default]\na = 1\n[default]\nb = 1\n', "")
def test_profiles_are_merged_as_botocore_merges_them(folder: Path, config: str, credentials: str) -> None:
    (folder / "c").write_bytes(config.encode())
    (folder / "k").write_bytes(credentials.encode())
    mine = Settings.of(read_aws_file(folder / "c"), read_aws_file(folder / "k"))
    session = botocore.session.Session(include_builtin_handlers=False)
    session.set_config_variable("config_file", str(folder / "c"))
    session.set_config_variable("credentials_file", str(folder / "k"))
    try:
        theirs = session.full_config
    except botocore.exceptions.ConfigParseError:
        assert mine.refusal is not None
        return
    assert mine.refusal is None
    assert {name: _merged(profile) for name, profile in mine.profiles.items()} == theirs["profiles"]
    assert {name: _plain(section) for name, section in mine.sso_sessions.items()} == theirs["sso_sessions"]
    assert {name: _plain(section) for name, section in mine.services.items()} == theirs["services"]


def _merged(profile: Profile) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key in profile.keys():  # noqa: SIM118 - a profile is no mapping
        block, found = profile.nested(key), profile.get(key)
        merged[key] = {name: each.value for name, each in block.items()} if block is not None else found and found.value
    return merged


def test_every_value_knows_its_line() -> None:
    text = "# c\n[default]\nregion = a\n\n[profile dev]\ns3 =\n  # c\n  endpoint_url = x\nlong = 1\n  2\n"
    file = parse(text.encode(), _HERE)
    dev = file.sections["profile dev"]
    assert (file.sections["default"].origin.line, dev.origin.line) == (2, 5)
    region, long = file.sections["default"].get("region"), dev.get("long")
    assert region is not None
    assert region.origin.line == 3
    assert long is not None
    assert (long.origin.line, long.value) == (9, "1\n2")
    block = dev.nested("s3")
    assert block is not None
    assert block["endpoint_url"].origin.line == 8


BAD = {
    "no section": (b"region = x\n[default]\n", 1, "before any [section]"),
    "byte order mark": ("\ufeff[default]\nregion = x\n".encode(), 1, "byte order mark"),
    "half a header": (b"[default]\nregion = x\n[profile de", 3, "closing bracket"),
    "half a line": (b"[default]\nregion = x\naws_secret_acc", 3, "neither a [section] nor key = value"),
    "twice a section": (b"[default]\nregion = x\n[default]\n", 3, "[default] appears twice, first in line 1"),
    "twice a key": (b"[default]\nregion = x\nRegion = y\n", 3, "region appears twice in [default], first in line 2"),
    "no key": (b"[default]\n = x\n", 2, "a value without a key"),
    "block": (b"[default]\ns3 =\n  addressing_style\n", 3, "indented line"),
    "latin-1": (b"[default]\nregion = x\n# M\xfcller\n", 3, "not UTF-8"),
    "utf-16": ("\ufeff[default]\n".encode("utf-16-le"), 1, "UTF-16"),
    "crlf": (b"[default]\r\nregion\r\n", 2, "neither"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_botocore_refuses_is_named_with_file_line_and_next_step(tmp_path: Path, kind: str) -> None:
    data, line, words = BAD[kind]
    ours, theirs = _read(tmp_path, data)
    assert theirs is None
    assert ours.refusal is not None
    error = ours.refusal.error()
    assert error.where == f"{tmp_path / 'config'}:{line}"
    assert words in error.message
    assert error.hint
    assert error.finding == "config-invalid"


def test_a_refused_file_still_tells_what_it_says() -> None:
    file = parse(b"oops\n[default]\nregion = a\nregion = b\njunk\n[default]\noutput = json\n", _HERE)
    assert [problem.origin.line for problem in file.problems] == [1, 4, 5, 6]
    assert _plain(file.sections["default"]) == {"region": "b", "output": "json"}


def test_a_problem_never_shows_the_line_itself() -> None:
    file = parse(b"[default]\nwJalrXUtnFEMI/K7MDENG\n", _HERE)
    assert "wJalr" not in repr(file.problems)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "config"
    with path.open("wb") as file:
        file.truncate(FILE_LIMIT + 1)
    problem = read_aws_file(path).refusal
    assert problem is not None
    assert "larger than 8 MiB" in problem.message


def test_ten_thousand_profiles_are_read(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("".join(f"[profile p{i}]\nregion = eu-west-1\nrole_arn = {'r' * 60}\n" for i in range(10_000)))
    assert len(Settings.of(read_aws_file(path), read_aws_file(tmp_path / "none")).profiles) == 10_000


def test_what_is_no_file_does_not_exist(tmp_path: Path) -> None:
    missing, folder = read_aws_file(tmp_path / "none"), read_aws_file(tmp_path)
    assert (missing.exists, missing.problems) == (False, ())
    assert (folder.exists, folder.refusal) == (False, None)
    assert [problem.message for problem in folder.problems] == [
        "a folder stands where the file should be; SDKs skip it"
    ]
    assert read_aws_file(Path("/dev/null")).exists is False
    assert read_aws_file(tmp_path / "none" / "a\0b").exists is False


def test_an_unreadable_file_is_skipped_with_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    path.write_text("[default]\n")

    def refuse(self: Path, *_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)  # root reads everything, so a mode of 0000 would prove nothing
    file = read_aws_file(path)
    assert file.refusal is None
    assert [(each.message, each.hint) for each in file.problems] == [
        ("the file cannot be read (permission denied); SDKs skip it", f"chmod u+r {path}")
    ]


def test_secrets_do_not_show(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = AKIASHOWN\naws_secret_access_key = hunter2\naws_session_token = hunter2\n"
        "credential_process = get --password hunter2\n"
    )
    environment = Environment.of(
        {"HOME": str(tmp_path), "AWS_SECRET_ACCESS_KEY": "hunter2", "HTTPS_PROXY": "http://u:hunter2@p"}
    )
    settings = environment.settings()
    shown = repr(
        [
            environment,
            settings,
            settings.profile("default"),
            settings.credentials,
            environment.get("AWS_SECRET_ACCESS_KEY"),
        ]
    )
    assert "hunter2" not in shown + repr(environment.get("HTTPS_PROXY"))
    assert "AKIASHOWN" in shown


def test_origins_are_short() -> None:
    home = Path("/home/me")
    assert str(Origin(path=home / ".aws/config", line=12, home=home)) == "~/.aws/config:12"
    assert str(Origin(path=Path("/etc/boto.cfg"), home=home)) == "/etc/boto.cfg"
    assert str(Origin(path=Path("/x"), home=Path("/"))) == "/x"
    assert str(Origin(variable="AWS_PROFILE")) == "AWS_PROFILE"
    assert repr(Sourced("eu", Origin(variable="AWS_REGION"))) == "Sourced('eu', 'AWS_REGION')"


def test_oddities_are_told_and_stop_nothing(tmp_path: Path) -> None:
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text("[dev]\nregion = x\n[plugins]\ncli = y\n[profile a]\nrole_arn = arn # mine\n")
    credentials.write_text('[profile b]\naws_access_key_id = "AKIA"\n')
    found = Settings.of(read_aws_file(config), read_aws_file(credentials)).problems
    assert [(str(each.origin)[len(str(tmp_path)) + 1 :], each.fatal) for each in found] == [
        ("config:1", False),
        ("config:6", False),
        ("credentials:1", False),
        ("credentials:2", False),
    ]
