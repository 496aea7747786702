"""The predicted winner is botocore's: the oracle is botocore's own resolver, over thousands of generated set-ups."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from chain_oracle import STATIC, Pick, pick
from chain_setups import FIXED, Setup, setups
from hypothesis import HealthCheck, Phase, given, settings

from unexpire.providers.chain import predict
from unexpire.settings.environment import Environment

EXAMPLES = int(os.environ.get("UNEXPIRE_ORACLE_EXAMPLES", "2100"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    for name, text in FIXED.items():
        (folder / name).write_text(text)
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def _predicted(variables: dict[str, str], profile: str | None) -> Pick:
    prediction = predict(Environment.of(variables), profile)
    if prediction.error is not None:
        return Pick("error", error=str(prediction.error.finding))
    if prediction.winner is None:
        return Pick("none")
    winner = prediction.winner
    return Pick(winner.method, winner.value("aws_access_key_id") if winner.method in STATIC else None)


# What two of botocore's exceptions are here; either side of these pairs must come with the other.
_EXACT = {"ProfileNotFound": "profile-not-found", "InfiniteLoopConfigError": "source-profile-loop"}
_LOOSE = {
    "PartialCredentialsError": {"partial-credentials", "config-invalid"},
    "MissingDependencyException": {"login-needed"},
    "LoginTokenLoadError": {"login-needed"},
    "ConfigParseError": {"config-invalid"},
    "InvalidIMDSEndpointError": {"config-invalid"},
    "InvalidIMDSEndpointModeError": {"config-invalid"},
    "InvalidConfigError": {"config-invalid", "no-credentials", "partial-credentials"},
}


def _same_reason(theirs: str, finding: str) -> bool:
    """Both fail, and of the reasons that have a name on both sides, for the same one."""
    name = theirs.partition(":")[0]
    if name in _EXACT or finding in _EXACT.values():
        return _EXACT.get(name) == finding
    return finding in _LOOSE.get(name, {finding})


@pytest.mark.timeout(400)  # about 20 s of one core, however busy the others keep it
def test_the_predicted_winner_is_what_botocore_picks(home: Path) -> None:
    seen: Counter[str] = Counter()
    reasons: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        derandomize="UNEXPIRE_ORACLE_RANDOM" not in os.environ,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(setups())
    def agree(setup: Setup) -> None:
        variables = setup.place(home)
        theirs, ours = pick(variables, setup.profile), _predicted(variables, setup.profile)
        seen[theirs.method] += 1
        assert (ours.method, ours.access_key_id) == (theirs.method, theirs.access_key_id), (theirs, ours)
        if theirs.error is not None:
            reasons[theirs.error.partition(":")[0]] += 1
            assert _same_reason(theirs.error, str(ours.error)), (theirs, ours)

    agree()
    print(f"{sum(seen.values())} set-ups, no disagreement:", dict(seen.most_common()), dict(reasons.most_common()))
    # Each kind must have come up, or the agreement says less than it seems to.
    kinds = {"env", "assume-role", "assume-role-with-web-identity", "sso", "shared-credentials-file", "custom-process"}
    kinds |= {"config-file", "ec2-credentials-file", "boto-config", "container-role", "iam-role", "none", "error"}
    assert kinds <= set(seen), kinds - set(seen)
    assert min(seen[kind] for kind in kinds) >= 5, seen
    assert sum(seen.values()) >= min(EXAMPLES, 2000)
