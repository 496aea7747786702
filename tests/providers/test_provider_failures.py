"""What each kind of source says when it does not deliver: the error, the finding, the hint, and what it costs."""

from __future__ import annotations

import http.server
import json
import os
import shlex
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from provider_kinds import Human, Place, container

from unexpire.credentials import Credentials, parse_timestamp
from unexpire.errors import (
    ConfigurationError,
    Denied,
    InteractionRequired,
    RefreshFailed,
    Rejected,
    StoreError,
    Unavailable,
    UnexpireError,
)
from unexpire.providers import sso
from unexpire.providers.base import Provider
from unexpire.providers.chain import predict
from unexpire.providers.container import ContainerProvider
from unexpire.providers.resolve import RoleRequest, provider_for
from unexpire.stores import atomic, aws_caches


def failure(provider: Provider, kind: type[UnexpireError], finding: str) -> Any:
    with pytest.raises(kind) as caught:
        provider.fetch()
    assert caught.value.finding == finding, str(caught.value)
    assert caught.value.hint
    assert caught.value.where
    return caught.value


def by_hand(here: Place, role: str, keys: Credentials, **more: Any) -> Provider:
    variables = {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_SESSION_TOKEN": keys.session_token,
    }
    prompt = more.pop("prompt", None)
    return provider_for(here.environment(**variables), role=RoleRequest(here.lab.role_arn(role), **more), prompt=prompt)


def said(provider: Provider) -> tuple[type[UnexpireError], str | None]:
    with pytest.raises(UnexpireError) as caught:
        provider.fetch()
    return type(caught.value), caught.value.finding


# --- roles


def test_a_role_that_does_not_trust_us(here: Place) -> None:
    assert said(by_hand(here, "Forbidden", here.lab.user_credentials)) == (Denied, "assume-role-denied")


def test_a_wrong_external_id(here: Place) -> None:
    provider = by_hand(here, "Partner", here.lab.user_credentials, external_id="partner-43")
    assert said(provider) == (Denied, "assume-role-denied")


def test_a_chained_role_lasts_an_hour_at_most(here: Place) -> None:
    provider = by_hand(here, "Chained", here.lab.issue_session("Deploy"), duration_s=7200)
    assert said(provider) == (Denied, "role-chain-limit")


def test_a_duration_over_the_roles_maximum(here: Place) -> None:
    assert said(by_hand(here, "Deploy", here.lab.user_credentials, duration_s=7200)) == (
        Denied,
        "duration-over-role-max",
    )
    given = by_hand(here, "Deep", here.lab.user_credentials, duration_s=7200).fetch()
    assert given.expiration is not None
    assert given.issued_at is not None
    assert timedelta(seconds=7190) < given.expiration - given.issued_at < timedelta(seconds=7210)


@pytest.mark.parametrize("seconds", [60, 899])
def test_a_duration_below_the_least(here: Place, seconds: int) -> None:
    assert said(by_hand(here, "Deploy", here.lab.user_credentials, duration_s=seconds))[1] == "duration-too-short"


def test_an_impossible_arn(here: Place) -> None:
    keys = here.lab.user_credentials
    variables = {"AWS_ACCESS_KEY_ID": keys.access_key_id, "AWS_SECRET_ACCESS_KEY": keys.secret_access_key}
    for arn in ("x", "arn:aws:iam::1:role/", "arn:aws:s3:::bucket-is-no-role", "💥" * 30):
        with pytest.raises(UnexpireError):
            provider_for(here.environment(**variables), role=RoleRequest(arn)).fetch()


def test_a_source_that_is_over(here: Place) -> None:
    ended = here.lab.issue_session("Deploy", seconds=-60)
    assert said(by_hand(here, "Chained", ended)) == (Rejected, "source-expired")
    here.lab.set_forget_after(10)
    assert said(by_hand(here, "Chained", ended)) == (Rejected, "source-expired"), "AWS calls very old tokens invalid"


def test_keys_that_are_not_right(here: Place) -> None:
    user = here.lab.user_credentials
    wrong = Credentials(user.access_key_id, "wrong" * 8)
    unknown = Credentials("AKIAIOSFODNN7EXAMPLE", "x" * 40)
    session = here.lab.issue_session("Deploy")
    tokenless = Credentials(session.access_key_id, session.secret_access_key)
    assert said(by_hand(here, "Deploy", wrong)) == (Rejected, "wrong-secret")
    assert said(by_hand(here, "Deploy", unknown)) == (Rejected, "key-rejected")
    assert said(by_hand(here, "Chained", tokenless)) == (Rejected, "missing-session-token")
    here.lab.deactivate_key()
    assert said(by_hand(here, "Deploy", user)) == (Rejected, "key-rejected")


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_clock_that_is_off(here: Place, hours: int) -> None:
    here.lab.set_clock_offset(hours * 3600)
    with pytest.raises(Rejected) as caught:
        here.provider("role").fetch()
    assert caught.value.finding == "clock-skew"
    offset = caught.value.clock_offset  # type: ignore[attr-defined]
    assert abs(offset - timedelta(hours=hours)) < timedelta(seconds=10)


def test_throttling_may_pass(here: Place) -> None:
    here.lab.outage("sts", "throttle", times=1)
    provider = here.provider("role")
    error = failure_without_hint(provider)
    assert (error.finding, error.retryable) == ("throttled", True)
    assert provider.fetch()


def failure_without_hint(provider: Provider) -> RefreshFailed:
    with pytest.raises(RefreshFailed) as caught:
        provider.fetch()
    return caught.value


def test_an_attempt_is_one_request(here: Place) -> None:
    here.lab.outage("sts", "503")
    failure_without_hint(here.provider("role"))
    assert here.lab.count("sts", "AssumeRole") == 1


def test_nobody_listens(here: Place) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        error = failure(here.provider("role", AWS_ENDPOINT_URL=url), RefreshFailed, "endpoint-unreachable")
    assert error.retryable
    assert url in str(error)


def test_an_endpoint_that_is_no_url(here: Place) -> None:
    with pytest.raises((ConfigurationError, RefreshFailed)):
        here.provider("role", AWS_ENDPOINT_URL="not a url").fetch()


def test_a_proxy_that_is_dead_and_one_that_is_bypassed(here: Place) -> None:
    proxy = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    nowhere = {"NO_PROXY": "example.com", "no_proxy": "example.com"}
    error = failure_without_hint(here.provider("role", **proxy, **nowhere))
    assert "proxy" in str(error)
    assert here.provider("role", **proxy).fetch()


def test_a_region_that_is_not_enabled(here: Place) -> None:
    here.lab.disable_region("af-south-1")
    with pytest.raises(UnexpireError) as caught:
        here.provider("role", AWS_REGION="af-south-1", AWS_DEFAULT_REGION="af-south-1").fetch()
    assert caught.value.finding in ("region-not-enabled", "key-rejected")


def test_mfa_asks_the_human_and_without_one_it_says_so(here: Place) -> None:
    error = failure(here.provider("mfa"), InteractionRequired, "mfa-required")
    assert error.interaction == "mfa"
    human = Human()
    assert here.provider("mfa", prompt=human).fetch()
    assert human.asked == 1
    assert said(here.provider("mfa", prompt=Human("000000")))[1] == "mfa-required"


def test_nothing_gives_credentials(here: Place, tmp_path: Path) -> None:
    empty = {"AWS_CONFIG_FILE": str(tmp_path / "no"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no")}
    with pytest.raises(Unavailable):
        here.provider(None, AWS_EC2_METADATA_DISABLED="true", **empty)


# --- web identity


def test_a_token_that_is_over_says_since_when(here: Place) -> None:
    path = here.home / "old-token"
    here.lab.write_web_identity_token(path, seconds=-3600)
    here.config(f"[profile w]\nrole_arn = {here.lab.role_arn('Web')}\nweb_identity_token_file = {path}\n")
    error = failure(here.provider("w"), Rejected, "web-identity-token-expired")
    assert "ended at" in str(error)
    here.lab.write_web_identity_token(path)
    assert here.provider("w").fetch()


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe binary", b"x" * 30_000])
def test_a_token_file_that_holds_no_token(here: Place, content: bytes | None) -> None:
    path = here.home / "token"
    if content is not None:
        path.write_bytes(content)
    here.config(f"[profile w]\nrole_arn = {here.lab.role_arn('Web')}\nweb_identity_token_file = {path}\n")
    failure(here.provider("w"), ConfigurationError, "web-identity-token-missing")


def test_the_token_file_is_read_anew_each_time(here: Place) -> None:
    path = here.home / "token"
    here.lab.write_web_identity_token(path)
    here.config(f"[profile w]\nrole_arn = {here.lab.role_arn('Web')}\nweb_identity_token_file = {path}\n")
    provider = here.provider("w")
    provider.fetch()
    path.write_text("garbage.that.is-no-jwt")
    assert said(provider)[0] in (Denied, Rejected)
    here.lab.write_web_identity_token(path)
    provider.fetch()


# --- SSO


def sso_file(here: Place, name: str = "lab") -> Path:
    return aws_caches.token_path(here.home, name)


def rewrite(path: Path, **changes: object) -> dict[str, Any]:
    document: dict[str, Any] = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in document.items() if value is not None}))
    return document


def in_minutes(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_token_near_its_end_is_renewed_and_rotates_where_all_tools_see_it(here: Place) -> None:
    before = rewrite(sso_file(here), expiresAt=in_minutes(-5))
    assert here.provider("sso").fetch()
    after = json.loads(sso_file(here).read_text())
    assert after["accessToken"] != before["accessToken"]
    assert after["refreshToken"] != before["refreshToken"]
    assert after["clientId"] == before["clientId"]
    assert parse_timestamp(after["expiresAt"]) > datetime.now(UTC)
    assert set(after) == set(before)
    if os.name == "posix":
        assert sso_file(here).stat().st_mode & 0o777 == 0o600
    assert here.provider("sso").fetch()
    assert here.lab.count("sso-oidc", "CreateToken") == 1


def test_botocore_reads_the_token_that_was_written(here: Place) -> None:
    rewrite(sso_file(here), expiresAt=in_minutes(-5))
    here.provider("sso").fetch()
    from botocore.utils import JSONFileCache, SSOTokenLoader

    cache = JSONFileCache(str(here.home / ".aws" / "sso" / "cache"))
    found = SSOTokenLoader(cache=cache)(here.lab.start_url, session_name="lab")
    assert set(found) >= {
        "accessToken",
        "expiresAt",
        "refreshToken",
        "clientId",
        "clientSecret",
        "registrationExpiresAt",
    }


def test_ten_threads_use_up_one_refresh_token(here: Place) -> None:
    rewrite(sso_file(here), expiresAt=in_minutes(-5))
    problems: list[BaseException] = []

    def fetch() -> None:
        try:
            here.provider("sso").fetch()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert here.lab.count("sso-oidc", "CreateToken") == 1


def test_a_renewal_that_fails_is_no_matter_while_the_token_lives(here: Place) -> None:
    rewrite(sso_file(here), expiresAt=in_minutes(5))
    here.lab.outage("sso-oidc", "503")
    assert here.provider("sso").fetch()
    rewrite(sso_file(here), expiresAt=in_minutes(-5))
    error = failure_without_hint(here.provider("sso"))
    assert error.retryable


def test_a_cache_that_cannot_be_locked_is_no_matter_while_the_token_lives(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise StoreError("read-only", hint="make it writable")

    monkeypatch.setattr(atomic, "lock", refuse)
    rewrite(sso_file(here), expiresAt=in_minutes(5))
    assert here.provider("sso").fetch()
    rewrite(sso_file(here), expiresAt=in_minutes(-5))
    failure(here.provider("sso"), RefreshFailed, "sso-login-needed")
    assert here.lab.count("sso-oidc", "CreateToken") == 0


def test_a_refresh_token_that_another_tool_used_up_first(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    old = rewrite(sso_file(here), expiresAt=in_minutes(-5))
    here.provider("sso").fetch()
    quicker = sso_file(here).read_text()
    sso_file(here).write_text(json.dumps(old))
    real = sso.aws.client

    def client(service: str, *args: Any, **more: Any) -> Any:
        if service == "sso-oidc":
            sso_file(here).write_text(quicker)  # the AWS CLI, in the middle of our renewal
        return real(service, *args, **more)

    monkeypatch.setattr(sso.aws, "client", client)
    assert here.provider("sso").fetch()
    assert sso_file(here).read_text() == quicker


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"refreshToken": None}, "sso-login-needed"),
        ({"refreshToken": "used-up"}, "sso-login-needed"),
        ({"registrationExpiresAt": "2020-01-01T00:00:00Z"}, "sso-registration-expired"),
        ({"accessToken": None}, "sso-token-missing"),
        ({"expiresAt": "yesterday"}, "sso-token-missing"),
        ({"expiresAt": "2099-01-01T00:00:00"}, "sso-token-missing"),  # SDKs fail over an end that names no zone
    ],
)
def test_when_only_a_login_helps(here: Place, change: dict[str, Any], finding: str) -> None:
    rewrite(sso_file(here), **{"expiresAt": in_minutes(-5), **change})
    error = failure(here.provider("sso"), InteractionRequired, finding)
    assert error.interaction == "sso-login"
    assert "--profile sso" in error.hint


def test_the_older_configuration_does_not_ask_for_a_zone(here: Place) -> None:
    rewrite(sso_file(here, here.lab.start_url), expiresAt="2099-01-01T00:00:00")
    assert here.provider("sso-legacy").fetch().access_key_id.startswith("ASIA")


def test_the_older_configuration_cannot_renew(here: Place) -> None:
    rewrite(sso_file(here, here.lab.start_url), expiresAt=in_minutes(-5))
    failure(here.provider("sso-legacy"), InteractionRequired, "sso-legacy-config")


def test_a_half_written_token_is_left_alone(here: Place) -> None:
    path = sso_file(here)
    half = path.read_text()[:40]
    path.write_text(half)
    failure(here.provider("sso"), InteractionRequired, "sso-token-missing")
    assert path.read_text() == half


def test_a_login_that_was_revoked_and_a_role_that_is_not_assigned(here: Place) -> None:
    here.lab.unassign_sso_role()
    failure(here.provider("sso"), Denied, "sso-role-not-assigned")
    here.lab.revoke_sso()
    failure(here.provider("sso"), InteractionRequired, "sso-login-needed")


def candidate_of(here: Place, profile: str) -> Any:
    winner = predict(here.environment(), profile).winner
    assert winner is not None
    return winner


class Approving(Human):
    """Opens the browser, and the person behind it says yes (or no)."""

    def __init__(self, here: Place, *, deny: bool = False) -> None:
        super().__init__()
        self.here, self.deny = here, deny

    def open_login(self, url: str, user_code: str | None) -> None:
        super().open_login(url, user_code)
        self.here.lab.approve_device(user_code, deny=self.deny)


@pytest.mark.parametrize("profile", ["sso", "sso-legacy"])
def test_a_login_leaves_a_token_that_every_sdk_sees(here: Place, profile: str) -> None:
    path = sso_file(here, "lab" if profile == "sso" else here.lab.start_url)
    path.unlink()
    human = Approving(here)
    candidate = candidate_of(here, profile)
    token = sso.log_in(here.environment(), candidate, human, sleep=lambda s: None)
    assert len(human.opened) == 1
    assert token.path == path
    held = json.loads(path.read_text())
    assert held["startUrl"] == here.lab.start_url
    assert ("refreshToken" in held) is (profile == "sso")
    assert here.provider(profile).fetch()


def test_a_registration_is_used_again(here: Place) -> None:
    candidate = candidate_of(here, "sso")
    sso.log_in(here.environment(), candidate, Approving(here), sleep=lambda s: None)
    sso.log_in(here.environment(), candidate, Approving(here), sleep=lambda s: None)
    assert here.lab.count("sso-oidc", "RegisterClient") == 0, "the one of the lab's own login is still good"
    rewrite(sso_file(here), registrationExpiresAt=in_minutes(1))
    sso.log_in(here.environment(), candidate, Approving(here), sleep=lambda s: None)
    assert here.lab.count("sso-oidc", "RegisterClient") == 1


def test_a_login_that_is_refused_or_not_answered(here: Place) -> None:
    candidate = candidate_of(here, "sso")
    before = sso_file(here).read_text()
    with pytest.raises(UnexpireError) as caught:
        sso.log_in(here.environment(), candidate, Approving(here, deny=True), sleep=lambda s: None)
    assert caught.value.finding == "sso-login-needed"
    waited: list[float] = []
    with pytest.raises(InteractionRequired, match="not approved"):
        sso.log_in(here.environment(), candidate, Human(), sleep=waited.append)
    assert waited
    assert sso_file(here).read_text() == before


def test_with_a_prompt_the_login_comes_by_itself_and_once(here: Place) -> None:
    sso_file(here).unlink()
    human = Approving(here)
    threads = []
    problems: list[BaseException] = []

    def fetch() -> None:
        try:
            here.provider("sso", prompt=human).fetch()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(human.opened) == 1


# --- credential_process


def process(here: Place, code: str, **more: str) -> Provider:
    script = here.home / "helper.py"
    script.write_text(code)
    here.config(f"[profile p]\ncredential_process = {shlex.quote(sys.executable)} {shlex.quote(str(script))}\n")
    return here.provider("p", **more)


GOOD = {"Version": 1, "AccessKeyId": "ASIA1", "SecretAccessKey": "hush-hush", "SessionToken": "token-token"}


@pytest.mark.parametrize(
    "text",
    [
        "2099-01-01T00:00Z",
        "20990101T000000Z",
        "2099-01-01T01:00:00+01",
        "Thu, 01 Jan 2099 00:00:00 GMT",
        "2098-12-31T19:00:00-05:00",
    ],
)
def test_a_process_may_write_the_end_as_botocore_reads_it(here: Place, text: str) -> None:
    (here.home / "printed").write_text(json.dumps({**GOOD, "Expiration": text}))
    given = process(here, f"print(open({str(here.home / 'printed')!r}).read(), end='')").fetch()
    assert given.expiration == datetime(2099, 1, 1, tzinfo=UTC)


NOISE = "import sys; sys.stderr.write('debug: ' * 500_000); "


def test_a_process_may_be_as_verbose_as_it_likes(here: Place) -> None:
    (here.home / "printed").write_text(json.dumps(GOOD))
    assert process(here, NOISE + f"print(open({str(here.home / 'printed')!r}).read(), end='')").fetch()


def test_of_a_verbose_process_the_last_words_are_told(here: Place) -> None:
    error = failure(process(here, NOISE + "sys.exit('the last words')"), RefreshFailed, "process-failed")
    assert "it ended with 1: " in str(error)
    assert "the last words" in str(error)


@pytest.mark.parametrize(
    ("printed", "what"),
    [
        ("", "nothing"),
        ("hello", "not JSON"),
        ("<html>", "not JSON"),
        ("[]", "no object"),
        ("[" * 100_000, "not JSON"),
        ("null", "no object"),
        (json.dumps({**GOOD, "Version": "1"}), "Version"),
        (json.dumps({**GOOD, "Version": 2}), "Version"),
        (json.dumps({**GOOD, "Version": True}), "Version"),
        (json.dumps({**GOOD, "AccessKeyId": ""}), "AccessKeyId"),
        (json.dumps({**GOOD, "SecretAccessKey": 5}), "SecretAccessKey"),
        (json.dumps({**GOOD, "SessionToken": ["a"]}), "SessionToken"),
        (json.dumps({**GOOD, "Expiration": "tomorrow"}), "not a time"),
        (json.dumps({**GOOD, "Expiration": ""}), "empty"),
        ("\ufeff" + json.dumps(GOOD), "byte order mark"),
        (json.dumps({**GOOD, "Expiration": "2099-01-01T00:00:00"}), "time zone"),
        (json.dumps({**GOOD, "Expiration": 4070908800}), "Expiration"),
        (json.dumps({**GOOD, "Expiration": "2020-01-01T00:00:00Z"}), "over"),
    ],
)
def test_a_process_that_prints_something_else(here: Place, printed: str, what: str) -> None:
    (here.home / "printed").write_text(printed)
    provider = process(here, f"print(open({str(here.home / 'printed')!r}).read(), end='')")
    error = failure(provider, RefreshFailed, "process-bad-output")
    assert what in str(error)
    assert "hush-hush" not in str(error)
    assert not error.retryable


@pytest.mark.parametrize("end", ["2099-01-01T00:00:00Z", "2099-01-01T01:00:00+01:00", "2099-01-01T00:00:00.123Z"])
def test_every_zone_will_do(here: Place, end: str) -> None:
    given = process(here, f"print({json.dumps({**GOOD, 'Expiration': end})!r})").fetch()
    assert given.expiration == datetime(2099, 1, 1, tzinfo=UTC)


def test_a_process_without_an_end(here: Place) -> None:
    assert process(here, f"print({json.dumps(GOOD)!r})").fetch().expiration is None


def test_a_process_that_fails_says_why_but_no_secret(here: Place) -> None:
    secret, token = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2VjE" + "a1B2" * 40
    provider = process(
        here,
        "import sys\n"
        f"print('vault is sealed; got {secret} and', {token!r}, 'password=hunter2hunter2', file=sys.stderr)\n"
        "sys.exit(3)",
        MY_SECRET="environment-secret",
    )
    error = failure(provider, RefreshFailed, "process-failed")
    assert "ended with 3" in str(error)
    assert "vault is sealed" in str(error)
    for hidden in (secret, token, "hunter2hunter2"):
        assert hidden not in str(error)


def test_stderr_of_a_process_that_succeeds_is_nobodys_business(here: Place, capfd: pytest.CaptureFixture[str]) -> None:
    process(here, f"import sys; print('warning', file=sys.stderr); print({json.dumps(GOOD)!r})").fetch()
    assert capfd.readouterr() == ("", "")


def test_a_missing_program(here: Place) -> None:
    here.config("[profile p]\ncredential_process = /nowhere/at/all --x\n")
    assert said(here.provider("p"))[1] == "process-failed"


def test_no_shell_is_involved(here: Place) -> None:
    mark = here.home / "mark"
    here.config(f"[profile p]\ncredential_process = {shlex.quote(sys.executable)} -c pass; touch {mark}\n")
    assert said(here.provider("p"))[1] in ("process-bad-output", "process-failed")
    assert not mark.exists()


def with_patience(provider: Provider, seconds: float) -> Provider:
    import dataclasses

    return dataclasses.replace(provider, timeout_s=seconds)  # type: ignore[type-var]


def test_a_process_that_hangs_is_ended(here: Place) -> None:
    pid = here.home / "pid"
    provider = process(here, f"import os, time\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)")
    error = failure(with_patience(provider, 1.0), RefreshFailed, "process-failed")
    assert error.retryable
    if pid.exists() and os.name == "posix":
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)


def test_a_process_that_prints_without_end_is_ended(here: Place) -> None:
    provider = process(here, "import sys\nwhile True: sys.stdout.write('x' * 65536)")
    error = failure(provider, RefreshFailed, "process-bad-output")
    assert "more than" in str(error)


@pytest.mark.skipif(os.name == "nt", reason="fork")
def test_a_process_that_leaves_a_child_behind_is_not_waited_for(here: Place) -> None:
    provider = process(
        here,
        f"import os, sys, time\nprint({json.dumps(GOOD)!r}, flush=True)\nif os.fork() == 0:\n    time.sleep(8)\n",
    )
    assert with_patience(provider, 6.0).fetch().access_key_id == "ASIA1"


def test_a_process_that_calls_itself(here: Place) -> None:
    code = """
import os, sys
from unexpire.providers.resolve import provider_for
from unexpire.settings.environment import Environment
try:
    provider_for(Environment.current(), profile="p").fetch()
except Exception as error:
    sys.exit(str(error))
"""
    failure(process(here, code), ConfigurationError, "process-cycle")


# --- metadata services


def test_the_container_endpoint_refuses(here: Place) -> None:
    wrong = {**container(here), "AWS_CONTAINER_AUTHORIZATION_TOKEN": "wrong"}
    error = failure(here.provider(None, **wrong), RefreshFailed, "container-refused")
    assert not error.retryable


def test_an_empty_relative_address_is_one(here: Place) -> None:
    held = here.provider(
        None, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="", AWS_CONTAINER_CREDENTIALS_FULL_URI="http://x/"
    )
    assert isinstance(held, ContainerProvider)
    assert held.url == "http://169.254.170.2"  # botocore asks whether the variable is there, not what is in it


@pytest.mark.parametrize(
    "uri", ["http://example.com/x", "http://10.0.0.1/x", "ftp://127.0.0.1/x", "http://[bad", "http://127.0.0.1:x/", "x"]
)
def test_hosts_that_no_sdk_would_ask(here: Place, uri: str) -> None:
    with pytest.raises((ConfigurationError, RefreshFailed)) as caught:
        here.provider(None, AWS_CONTAINER_CREDENTIALS_FULL_URI=uri).fetch()
    assert caught.value.finding == "container-refused"


def test_the_container_token_file_is_read_anew_and_checked(here: Place) -> None:
    path = here.home / "container-token"
    variables = {**container(here), "AWS_CONTAINER_AUTHORIZATION_TOKEN": None}
    variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = str(path)
    path.write_text("not yet")
    provider = here.provider(None, **variables)
    path.unlink()
    failure(provider, ConfigurationError, "container-refused")
    path.write_text(here.lab.container_token)
    assert provider.fetch()
    path.write_text(here.lab.container_token + "\n")
    error = failure(provider, ConfigurationError, "container-refused")
    assert here.lab.container_token not in str(error)
    path.write_bytes("tök€n".encode())
    failure(provider, RefreshFailed, "container-refused")


@pytest.mark.parametrize(
    ("end", "finding", "words"),
    [
        ("2020-01-01T00:00:00Z", "metadata-stale", "is over since"),
        ("2099-01-01T00:00:00", "container-refused", "time zone"),
    ],
)
def test_a_container_endpoint_whose_end_botocore_fails_over(here: Place, end: str, finding: str, words: str) -> None:
    body = json.dumps({"AccessKeyId": "ASIAX", "SecretAccessKey": "s", "Token": "t", "Expiration": end}).encode()

    class Endpoint(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        error = failure(here.provider(None, AWS_CONTAINER_CREDENTIALS_FULL_URI=url), RefreshFailed, finding)
        server.shutdown()
    assert words in str(error)


def test_the_metadata_service_gives_dead_sets(here: Place) -> None:
    here.lab.set_imds(stale=True)
    error = failure(here.provider(None), RefreshFailed, "metadata-stale")
    assert error.retryable


def test_no_role_no_service_no_answer(here: Place) -> None:
    here.lab.set_imds(role_attached=False)
    assert not failure(here.provider(None), RefreshFailed, "no-credentials").retryable
    here.lab.set_imds(role_attached=True, enabled=False)
    failure(here.provider(None), RefreshFailed, "metadata-unreachable")
    dead = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"}
    assert failure(here.provider(None, **dead), RefreshFailed, "metadata-unreachable").retryable


def test_attempts_at_the_metadata_service_are_the_settings_own(here: Place) -> None:
    here.lab.outage("imds", "refuse", times=2)
    failure(here.provider(None), RefreshFailed, "metadata-unreachable")
    here.lab.clear_outages()
    here.lab.outage("imds", "refuse", times=2)
    assert here.provider(None, AWS_METADATA_SERVICE_NUM_ATTEMPTS="3").fetch()


class Answers(BaseHTTPRequestHandler):
    body = b"{}"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def odd_endpoint() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


WHOLE = {"AccessKeyId": "ASIA1", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    "document",
    [
        [],
        None,
        7,
        "text",
        {},
        {**WHOLE, "Code": "Failed"},
        {**WHOLE, "AccessKeyId": None},
        {**WHOLE, "SecretAccessKey": ""},
        {**WHOLE, "Token": 5},
        {**WHOLE, "Expiration": "soon"},
        {**WHOLE, "Expiration": None},
    ],
)
def test_documents_that_are_none(here: Place, odd_endpoint: HTTPServer, document: object) -> None:
    Answers.body = json.dumps(document).encode()
    uri = f"http://127.0.0.1:{odd_endpoint.server_address[1]}/x"
    failure(here.provider(None, AWS_CONTAINER_CREDENTIALS_FULL_URI=uri), RefreshFailed, "container-refused")


def test_the_document_as_ecs_gives_it(here: Place, odd_endpoint: HTTPServer) -> None:
    Answers.body = json.dumps(WHOLE).encode()
    uri = f"http://127.0.0.1:{odd_endpoint.server_address[1]}/x"
    given = here.provider(None, AWS_CONTAINER_CREDENTIALS_FULL_URI=uri).fetch()
    assert given.session_token == "t"


# --- copies


def test_the_end_of_a_copy_is_found_where_the_aws_cli_keeps_the_session(here: Place) -> None:
    session = here.lab.issue_session("Deploy", seconds=1234)
    assert session.expiration is not None
    here.credentials("copied", session)
    assert here.provider("copied").fetch().expiration is None
    folder = here.home / ".aws" / "cli" / "cache"
    folder.mkdir(parents=True)
    (folder / "0.json").write_text('{"Credentials": {"AccessKeyId": "' + session.access_key_id)
    (folder / "1.json").write_bytes(b"\xff\xfe\x00")
    (folder / "2.json").write_text("[]")
    (folder / "3.json").write_text(
        json.dumps(
            {
                "Credentials": {
                    "AccessKeyId": session.access_key_id,
                    "Expiration": session.expiration.strftime("%Y-%m-%dT%H:%M:%SUTC"),
                }
            }
        )
    )
    given = here.provider("copied").fetch()
    assert given.expiration == session.expiration


def test_a_copy_with_a_variable_that_tells_its_end(here: Place) -> None:
    session = here.lab.issue_session("Deploy")
    variables = {
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
    }
    given = here.provider(None, **variables, AWS_CREDENTIAL_EXPIRATION="2099-01-01T00:00:00Z").fetch()
    assert given.expiration == datetime(2099, 1, 1, tzinfo=UTC)
    assert here.provider(None, **variables).fetch().expiration is None


@pytest.mark.parametrize("error", [{"error": "TOKEN_EXPIRED"}, {"error": "USER_CREDENTIALS_CHANGED"}])
def test_a_console_sign_in_that_is_over(here: Place, error: dict[str, str]) -> None:
    pytest.importorskip("awscrt")
    here.lab.revoke_login(**error)
    folder = here.home / ".aws" / "login" / "cache"
    path = next(folder.glob("*.json"))
    document = json.loads(path.read_text())
    document["accessToken"]["expiresAt"] = in_minutes(-1)
    path.write_text(json.dumps(document))
    found = failure(here.provider("login"), InteractionRequired, "login-needed")
    assert found.interaction == "login"


def test_a_console_sign_in_is_renewed_and_rotates(here: Place) -> None:
    pytest.importorskip("awscrt")
    path = next((here.home / ".aws" / "login" / "cache").glob("*.json"))
    document = json.loads(path.read_text())
    document["accessToken"]["expiresAt"] = in_minutes(-1)
    path.write_text(json.dumps(document))
    assert here.provider("login").fetch()
    after = json.loads(path.read_text())
    assert after["refreshToken"] != document["refreshToken"]
    assert set(after) == set(document)
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"accessToken": {}}', '{"accessToken": null}'])
def test_a_damaged_console_sign_in(here: Place, content: str) -> None:
    pytest.importorskip("awscrt")
    provider = here.provider("login")
    next((here.home / ".aws" / "login" / "cache").glob("*.json")).write_text(content)
    failure(provider, InteractionRequired, "login-needed")
