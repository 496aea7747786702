"""What a prediction says about each source: enough for a diagnosis, in words, with where it stands, and without a secret."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from unexpire.providers.chain import Candidate, Prediction, Standing, predict
from unexpire.settings.environment import Environment

ARN = "arn:aws:iam::123456789012:role/Deploy"
FROM = f"role_arn = {ARN}\nsource_profile = "
SECRET = "hunter2hunter2"
KEYS = f"aws_access_key_id = AKIAQ\naws_secret_access_key = {SECRET}\n"
SESSION = f"aws_access_key_id = ASIAQ\naws_secret_access_key = {SECRET}\naws_session_token = {SECRET}\n"
ENV = {"AWS_ACCESS_KEY_ID": "ASIAENV", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": SECRET}
NO_IMDS = {"AWS_EC2_METADATA_DISABLED": "true"}


@dataclass
class Home:
    path: Path
    variables: dict[str, str] = field(default_factory=dict)

    def write(self, config: str = "", credentials: str = "") -> Home:
        (self.path / ".aws").mkdir(exist_ok=True)
        (self.path / ".aws" / "config").write_text(config)
        (self.path / ".aws" / "credentials").write_text(credentials)
        return self

    def predict(self, profile: str | None = None, **variables: str) -> Prediction:
        prediction = predict(Environment.of({"HOME": str(self.path), **NO_IMDS, **variables}, cwd=self.path), profile)
        assert SECRET not in repr(prediction)
        assert prediction.error is None or prediction.error.hint
        return prediction


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def _winner(prediction: Prediction) -> Candidate:
    assert prediction.error is None, prediction.error
    assert prediction.winner is not None
    return prediction.winner


def test_a_session_in_the_environment_hides_a_role_that_renews_itself(home: Home) -> None:
    home.write(f"[profile prod]\nrole_arn = {ARN}\nsource_profile = base\n[profile base]\n{KEYS}")
    prediction = home.predict(AWS_PROFILE="prod", **ENV)
    winner = _winner(prediction)
    assert (winner.method, str(winner.origin), winner.access_key_id) == ("env", "AWS_ACCESS_KEY_ID", "ASIAENV")
    assert (winner.has_token, winner.renewable, winner.static) == (True, False, True)
    assert [(each.method, each.profile, str(each.origin), each.renewable) for each in prediction.shadowed] == [
        ("assume-role", "prod", "~/.aws/config:2", True)
    ]
    assert prediction.shadowed[0].description == "role Deploy of profile prod (~/.aws/config:2)"


def test_a_profile_chosen_by_flag_takes_the_environment_out(home: Home) -> None:
    home.write(credentials=f"[dev]\n{KEYS}")
    by_flag, by_variable = home.predict("dev", **ENV), home.predict(AWS_PROFILE="dev", **ENV)
    assert (_winner(by_flag).method, _winner(by_variable).method) == ("shared-credentials-file", "env")
    assert [each.method for each in by_flag.ignored] == ["env"]
    assert by_flag.explicit
    assert not by_variable.ignored


@pytest.mark.parametrize(
    ("variables", "token"),
    [
        ({"AWS_SESSION_TOKEN": "new", "AWS_SECURITY_TOKEN": "old"}, ("old", "AWS_SECURITY_TOKEN")),
        ({"AWS_SESSION_TOKEN": "new", "AWS_SECURITY_TOKEN": ""}, ("new", "AWS_SESSION_TOKEN")),
        ({"AWS_SESSION_TOKEN": ""}, None),
    ],
)
def test_the_older_spelling_of_the_token_wins(
    home: Home, variables: dict[str, str], token: tuple[str, str] | None
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "ASIA", "AWS_SECRET_ACCESS_KEY": "s"}
    winner = _winner(home.predict(**keys, **variables))
    found = winner.settings.get("aws_session_token")
    assert (None if found is None else (found.value, str(found.origin))) == token
    assert winner.has_token is (token is not None)


def test_the_end_that_the_environment_states(home: Home) -> None:
    winner = _winner(home.predict(**ENV, AWS_CREDENTIAL_EXPIRATION="2026-11-22T20:41:00Z"))
    assert winner.expiration == datetime(2026, 11, 22, 20, 41, tzinfo=UTC)
    assert winner.expiration_known_from == "AWS_CREDENTIAL_EXPIRATION"
    other = _winner(home.predict(**ENV, AWS_CREDENTIAL_EXPIRATION="Nov 22 2026 20:41 GMT"))
    assert other.expiration == winner.expiration
    naive = _winner(home.predict(**ENV, AWS_CREDENTIAL_EXPIRATION="2026-11-22T20:41:00"))
    assert "no time zone" in str(naive.problem)
    assert home.predict(**ENV, AWS_CREDENTIAL_EXPIRATION="soon").error is not None


def test_a_chain_of_roles_shows_every_source(home: Home) -> None:
    home.write(
        f"[profile a]\nrole_arn = {ARN}\nsource_profile = b\nduration_seconds = 3600\nexternal_id = x\n"
        f"[profile b]\nrole_arn = {ARN}2\nsource_profile = c\nmfa_serial = arn:aws:iam::1:mfa/me\n",
        f"[c]\n{KEYS}",
    )
    winner = _winner(home.predict("a"))
    assert winner.source is not None
    assert winner.source.source is not None
    assert [each.profile for each in (winner, winner.source, winner.base)] == ["a", "b", "c"]
    assert (winner.base.method, str(winner.base.origin)) == ("shared-credentials-file", "~/.aws/credentials:2")
    assert (winner.value("duration_seconds"), winner.value("external_id"), winner.value("mfa_serial")) == (
        "3600",
        "x",
        None,
    )
    # A code that only a human can give, two hops away, keeps the whole chain from renewing itself.
    assert (winner.interactive, winner.renewable, winner.source.interactive) == (True, False, True)


@pytest.mark.parametrize(("source", "renewable"), [(KEYS, True), (SESSION, False), ("credential_process = x\n", True)])
def test_a_role_renews_itself_unless_its_source_is_a_copy_of_a_session(
    home: Home, source: str, renewable: bool
) -> None:
    home.write(f"[profile a]\nrole_arn = {ARN}\nsource_profile = b\n[profile b]\n{source}")
    assert _winner(home.predict("a")).renewable is renewable


def test_keys_in_the_credentials_file_shadow_a_process(home: Home) -> None:
    home.write(f"[profile dev]\ncredential_process = vault --password {SECRET}\n", f"[dev]\n{SESSION}")
    prediction = home.predict("dev")
    assert _winner(prediction).description == "a static copy of a session in profile dev (~/.aws/credentials:2)"
    assert [(each.method, each.renewable, str(each.origin)) for each in prediction.shadowed] == [
        ("custom-process", True, "~/.aws/config:2")
    ]
    assert prediction.shadowed[0].value("credential_process") == f"vault --password {SECRET}"


def test_sso_beats_keys_in_the_credentials_file(home: Home) -> None:
    home.write(
        "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Admin\n"
        "[sso-session corp]\nsso_start_url = https://p.example/start\nsso_region = eu-west-1\n",
        f"[dev]\n{KEYS}",
    )
    prediction = home.predict("dev")
    winner = _winner(prediction)
    assert (winner.method, winner.description) == (
        "sso",
        "SSO role Admin in account 123456789012 of profile dev (~/.aws/config:4)",
    )
    assert (winner.value("sso_region"), str(winner.settings["sso_start_url"].origin)) == (
        "eu-west-1",
        "~/.aws/config:6",
    )
    assert [each.method for each in prediction.shadowed] == ["shared-credentials-file"]


def test_web_identity_from_the_environment_and_its_missing_token(home: Home) -> None:
    (home.path / "token").write_text("e30.e30.e30")
    good = _winner(home.predict(AWS_ROLE_ARN=ARN, AWS_WEB_IDENTITY_TOKEN_FILE="token"))
    assert (good.method, good.profile, good.renewable, good.problem) == (
        "assume-role-with-web-identity",
        None,
        True,
        None,
    )
    gone = _winner(home.predict(AWS_ROLE_ARN=ARN, AWS_WEB_IDENTITY_TOKEN_FILE="gone"))
    assert gone.problem is not None
    assert (gone.problem.finding, gone.problem.where) == ("web-identity-token-missing", "~/gone")


def test_metadata_services(home: Home) -> None:
    winner = _winner(home.predict(AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="/v2/x"))
    assert (winner.method, winner.value("container_uri"), winner.renewable) == (
        "container-role",
        "http://169.254.170.2/v2/x",
        True,
    )
    instance = _winner(home.predict(AWS_EC2_METADATA_DISABLED="false"))
    assert (instance.method, instance.probed) == ("iam-role", False)


def test_nothing_at_all(home: Home) -> None:
    assert home.predict() == Prediction(home.predict().profile_name)


@pytest.mark.parametrize(
    ("config", "variables", "where", "words"),
    [
        ("", {"AWS_SECRET_ACCESS_KEY": "s"}, "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID is not set"),
        ("", {"AWS_SESSION_TOKEN": "t"}, "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID is not set"),
        ("", {"AWS_ROLE_ARN": ARN}, "AWS_ROLE_ARN", "does nothing without AWS_WEB_IDENTITY_TOKEN_FILE"),
        ("[default]\nsource_profile = x\n", {}, "~/.aws/config:2", "has source_profile and no role_arn"),
        ("[default]\nsso_start_url = x\n", {}, "~/.aws/config:2", "has sso_start_url and neither"),
        ("[default]\naws_secret_access_key = x\n", {}, "~/.aws/config:2", "has no aws_access_key_id"),
    ],
)
def test_what_is_set_up_in_part_is_passed_over_and_told(
    home: Home, config: str, variables: dict[str, str], where: str, words: str
) -> None:
    prediction = home.write(config).predict(**variables)
    assert (prediction.winner, prediction.error) == (None, None)
    (found,) = prediction.incomplete
    assert found.standing is Standing.SKIPPED
    assert found.problem is not None
    assert (found.problem.where, words in found.problem.message, bool(found.problem.hint)) == (where, True, True)


SSO = "sso_account_id = 1\nsso_role_name = r\n"


@pytest.mark.parametrize(
    ("config", "variables", "finding", "where", "words"),
    [
        ("", {"AWS_ACCESS_KEY_ID": "A"}, "partial-credentials", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY is not set"),
        ("", {"AWS_PROFILE": "gone"}, "profile-not-found", "AWS_PROFILE", "'gone' does not exist"),
        ("", {"AWS_PROFILE": ""}, "profile-not-found", "AWS_PROFILE", "'' does not exist"),
        ("[default]\naws_access_key_id = A\n", {}, "partial-credentials", "~/.aws/config:2", "no aws_secret_access_key"),
        ("[default]\nregion\n", ENV, "config-invalid", "~/.aws/config:2", "neither a [section]"),
        (f"[default]\n{FROM}default\n", {}, "source-profile-loop", "~/.aws/config:3", "default → default"),
        (f"[default]\n{FROM}b\n[profile b]\nregion = x\n", {}, "no-credentials", "~/.aws/config:3", "has no"),
        (f"[default]\nrole_arn = {ARN}\ncredential_source = Environment\n", {}, "no-credentials", "~/.aws/config:3", "here"),
        ("[default]\nweb_identity_token_file = t\n", {}, "config-invalid", "~/.aws/config:2", "without a role ARN"),
        (f"[default]\n{SSO}", {}, "config-invalid", "~/.aws/config:3", "sso_start_url, sso_region"),
        (f"[default]\n{SSO}sso_session = corp\n[sso-session corpo]\n", {}, "config-invalid", "~/.aws/config:4", "does not exist"),
        (
            f"[default]\n{SSO}sso_session = c\nsso_region = a\n[sso-session c]\nsso_region = b\n",
            {}, "config-invalid", "~/.aws/config:5", "contradicts [sso-session c] (~/.aws/config:7)",
        ),
        ("[default]\ncredential_process = x 'y\n", {}, "process-failed", "~/.aws/config:2", "unbalanced quote"),
        ("[default]\ncredential_process =\n  x = y\n", {}, "config-invalid", "~/.aws/config:3", "indented block"),
        ("[default]\nmetadata_service_timeout = two\n", ENV, "config-invalid", "~/.aws/config:2", "not a whole number"),
        ("", {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "x"}, "config-invalid", "AWS_EC2_METADATA_SERVICE_ENDPOINT", "not a URL"),
        ("", {"AWS_CREDENTIAL_FILE": "gone"}, "config-invalid", "~/gone", "no such file"),
        ("", {"BOTO_CONFIG": ".aws/config"}, None, None, None),
        (
            "", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example/"},
            "container-refused", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "do not ask this host",
        ),
        (
            "", {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "gone"},
            "container-refused", "~/gone", "no such file",
        ),
    ],
)  # fmt: skip
def test_what_ends_the_chain_is_named_with_its_place_and_the_next_step(
    home: Home, config: str, variables: dict[str, str], finding: str | None, where: str | None, words: str | None
) -> None:
    prediction = home.write(config).predict(**variables)
    assert prediction.winner is None
    if finding is None:
        assert prediction.error is None
        return
    error = prediction.error
    assert error is not None
    assert (error.finding, error.where) == (finding, where)
    assert words is not None
    assert words in error.message


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ("duration_seconds = 60", "duration-too-short"),
        ("duration_seconds = 99999", "duration-over-role-max"),
        ("duration_seconds = an hour", "config-invalid"),
        ("role_session_name = x", None),
    ],
)
def test_an_impossible_duration_is_told_and_does_not_end_the_chain(home: Home, line: str, finding: str | None) -> None:
    home.write(f"[default]\nrole_arn = {ARN}\n{line}\nsource_profile = default\n", f"[default]\n{KEYS}")
    problem = _winner(home.predict()).problem
    assert (problem.finding if problem else None) == finding
    assert problem is None or problem.where == "~/.aws/config:3"


@pytest.mark.parametrize(
    ("command", "finding"),
    [
        ("sh -c x", None),
        ("no-such-program-here x", "process-failed"),
        ("./gone", "process-failed"),
        ("/usr/bin/aws configure export-credentials --profile default", "process-cycle"),
        ("unexpire credential-process --profile=default", "process-cycle"),
        ("sh -c 'aws' --profile default", None),
    ],
)
def test_a_process_that_cannot_deliver_is_told_in_advance(home: Home, command: str, finding: str | None) -> None:
    home.write(f"[default]\ncredential_process = {command}\n")
    winner = _winner(home.predict(PATH=os.environ["PATH"]))
    assert winner.method == "custom-process"
    assert (winner.problem.finding if winner.problem else None) == finding


def test_an_impossible_arn(home: Home) -> None:
    home.write("[default]\nrole_arn = Deploy\nsource_profile = default\n", f"[default]\n{KEYS}")
    problem = _winner(home.predict()).problem
    assert problem is not None
    assert (problem.message, problem.hint) == (
        "role_arn is not the ARN of a role",
        "role_arn = arn:aws:iam::ACCOUNT:role/NAME",
    )


def test_a_refused_file_still_shows_what_would_be_there(home: Home) -> None:
    prediction = home.write(credentials=f"[default]\n{KEYS}half-a-line\n").predict()
    assert prediction.error is not None
    assert prediction.error.where == "~/.aws/credentials:4"
    assert [each.method for each in prediction.shadowed] == ["shared-credentials-file"]


def test_the_environment_s_keys_are_kept_in_sight_where_the_profile_is_unknown(home: Home) -> None:
    prediction = home.write().predict("gone", **ENV)
    assert prediction.error is not None
    assert prediction.error.where == "--profile"
    assert [each.method for each in prediction.ignored] == ["env"]
