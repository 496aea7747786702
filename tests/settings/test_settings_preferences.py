from __future__ import annotations

from pathlib import Path

import pytest

from unexpire.errors import ConfigurationError
from unexpire.settings.environment import Environment
from unexpire.settings.preferences import Preferences, preferences, preferences_path


def _write(home: Path, text: str | bytes) -> Environment:
    path = home / ".config" / "unexpire" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return Environment.of({"HOME": str(home)})


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert preferences(Environment.of({"HOME": str(tmp_path)})) == Preferences(cache="file", on_expiring=None)


def test_what_the_file_says(tmp_path: Path) -> None:
    found = preferences(_write(tmp_path, 'cache = "keyring"\non-expiring = "mail -s secret"\n'))
    assert (found.cache, found.on_expiring) == ("keyring", "mail -s secret")
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HOME": "/h"}, "/h/.config/unexpire/config.toml"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/x/unexpire/config.toml"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": ""}, "/h/.config/unexpire/config.toml"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "relative"}, "/h/.config/unexpire/config.toml"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/x", "UNEXPIRE_CONFIG": "~/mine.toml"}, "/h/mine.toml"),
    ],
)
def test_where_the_file_is_looked_for(variables: dict[str, str], expected: str) -> None:
    assert preferences_path(Environment.of(variables)) == Path(expected)


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ('cache = "disk"\n', 1, '"file" or "keyring" or "memory"'),
        ('\n# a comment\ncache = ["file"]\n', 3, '"file"'),
        ('cache = "file"\non-expiring = 3\n', 2, "a command line"),
        ('cache = "file"\n\ncache\n', 3, "key ="),
        ("cache = \n", 1, "key ="),
        ("[[[", 1, "key ="),
        ('cache = "fi', 1, "key ="),
        (b"\xff\xfe", None, "file ~/"),
        ("a" * 100_000, None, "ls -l"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, text: str | bytes, line: int | None, hint: str) -> None:
    environment = _write(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        preferences(environment)
    assert caught.value.where == "~/.config/unexpire/config.toml" + (f":{line}" if line else "")
    assert hint in str(caught.value.hint)


def test_an_unknown_key_is_a_problem_and_not_an_error(tmp_path: Path) -> None:
    found = preferences(_write(tmp_path, 'cache = "memory"\n\non_expiring = "x"\n[later]\nx = 1\n'))
    assert found.cache == "memory"
    assert [(str(each.origin)[-2:], each.hint) for each in found.problems] == [
        (":3", "did you mean on-expiring?"),
        (":4", "known: cache, on-expiring, outage-wait"),
    ]


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    environment = Environment.of({"HOME": str(tmp_path), "UNEXPIRE_CONFIG": "~/gone.toml"})
    with pytest.raises(ConfigurationError, match="UNEXPIRE_CONFIG") as caught:
        preferences(environment)
    assert caught.value.hint == "unset UNEXPIRE_CONFIG"
