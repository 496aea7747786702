"""Profiles: merging with origins, nearest names, and the chains and loops of source_profile."""

from __future__ import annotations

from pathlib import Path

import pytest

from unexpire.errors import ConfigurationError, ProfileNotFound
from unexpire.settings.files import Origin, Sourced, parse
from unexpire.settings.profile import Profile, Settings

HOME = Path("/home/me")


def _settings(config: str, credentials: str = "") -> Settings:
    return Settings.of(
        parse(config.encode(), Origin(path=HOME / ".aws/config", home=HOME)),
        parse(credentials.encode(), Origin(path=HOME / ".aws/credentials", home=HOME)),
    )


def test_the_credentials_file_overlays_the_config_file_key_by_key() -> None:
    profile = _settings("[profile dev]\nregion = a\noutput = json\n", "[dev]\nregion = b\n").profile("dev")
    region, output = profile.get("region"), profile.get("output")
    assert region is not None
    assert output is not None
    assert (region.value, str(region.origin)) == ("b", "~/.aws/credentials:2")
    assert (output.value, str(output.origin)) == ("json", "~/.aws/config:3")
    assert str(profile.where) == "~/.aws/config:1"
    assert profile.keys() == {"region", "output"}
    assert profile.get("nothing") is None
    assert "nothing" not in profile


def test_a_block_hides_a_plain_value_and_the_other_way_round() -> None:
    profile = _settings("[profile x]\ns3 = plain\nec2 =\n  a = 1\n", "[x]\ns3 =\n  b = 2\nec2 = plain\n").profile("x")
    assert profile.get("s3") is None
    block = profile.nested("s3")
    assert block is not None
    assert (block["b"].value, str(block["b"].origin)) == ("2", "~/.aws/credentials:3")
    assert profile.nested("ec2") is None
    assert profile.get("ec2") is not None


@pytest.mark.parametrize(
    ("name", "nearest", "hint"),
    [
        ("prdo", ("prod",), "did you mean prod?"),
        ("PROD", ("prod",), "did you mean prod?"),
        ("zzzzzz", (), "aws configure list-profiles"),
        ("bare", (), "rename [bare] in ~/.aws/config:5 to [profile bare]"),
        ("wrong", (), "rename [profile wrong] in ~/.aws/credentials:1 to [wrong]"),
    ],
)
def test_an_unknown_profile_offers_the_nearest(name: str, nearest: tuple[str, ...], hint: str) -> None:
    settings = _settings(
        "[profile prod]\nregion = a\n[profile staging]\nregion = a\n[bare]\nregion = a\n",
        "[profile wrong]\nregion = a\n",
    )
    with pytest.raises(ProfileNotFound) as caught:
        settings.profile(name)
    assert caught.value.nearest == nearest
    assert caught.value.hint == hint
    assert caught.value.finding == "profile-not-found"


def test_an_empty_profile_name_says_which_variable_is_empty() -> None:
    error = _settings("").not_found("", Origin(variable="AWS_PROFILE"))
    assert (error.where, error.hint) == ("AWS_PROFILE", "unset AWS_PROFILE")


ROLE = "role_arn = arn:aws:iam::123456789012:role/R\n"
FROM = f"{ROLE}source_profile = "


def test_a_chain_of_roles_ends_at_what_signs_first() -> None:
    chain = _settings(
        f"[profile a]\n{ROLE}source_profile = b\n[profile b]\n{ROLE}source_profile = c\n[profile c]\ncredential_process = x\n"
    ).role_chain("a")
    assert [hop.name for hop in chain.hops] == ["a", "b"]
    assert isinstance(chain.base, Profile)
    assert chain.base.name == "c"


def test_a_named_source_ends_it() -> None:
    chain = _settings(f"[profile a]\n{ROLE}credential_source = Ec2InstanceMetadata\n").role_chain("a")
    assert isinstance(chain.base, Sourced)
    assert chain.base.value == "Ec2InstanceMetadata"


def test_a_profile_may_sign_for_itself_with_keys_of_its_own() -> None:
    chain = _settings(f"[profile a]\n{ROLE}source_profile = a\n", "[a]\naws_access_key_id = AKIA\n").role_chain("a")
    assert isinstance(chain.base, Profile)
    assert (len(chain.hops), chain.base.name) == (1, "a")


@pytest.mark.parametrize(
    ("config", "message", "where", "hint"),
    [
        (f"[profile a]\n{ROLE}source_profile = a\n", "in a circle: a → a", "config:3", "of its own"),
        (
            f"[profile a]\n{FROM}b\n[profile b]\n{FROM}c\n[profile c]\n{FROM}b\n",
            "in a circle: a → b → c → b",
            "config:9",
            "of its own",
        ),
        (f"[profile a]\n{FROM}produ\n[profile prod]\n", "'produ' of profile 'a'", "config:3", "prod?"),
        (f"[profile a]\n{ROLE}", "no source_profile or credential_source", "config:2", "add source_profile"),
        (f"[profile a]\n{ROLE}source_profile = a\ncredential_source = Environment\n", "both", "config:4", "remove one"),
        (f"[profile a]\n{ROLE}credential_source = environment\n", "none that exists", "config:3", "= Environment"),
        (f"[profile a]\n{ROLE}source_profile =\n  x = 1\n", "indented block", "config:4", "on one line"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_named(config: str, message: str, where: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _settings(config).role_chain("a")
    error = caught.value
    assert message in error.message
    assert error.where == f"~/.aws/{where}"
    assert hint in str(error.hint)
    assert error.finding == ("source-profile-loop" if "circle" in message else "config-invalid")


def test_a_long_chain_is_followed_to_its_end() -> None:
    text = "".join(f"[profile p{i}]\n{ROLE}source_profile = p{i + 1}\n" for i in range(3000))
    chain = _settings(text + "[profile p3000]\naws_access_key_id = AKIA\n").role_chain("p0")
    assert len(chain.hops) == 3000
