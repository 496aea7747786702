"""The files that make the agent start with the user's session: a systemd user unit, a launchd property list."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from ..errors import ConfigurationError
from ..settings.environment import Environment

__all__ = ["Service", "service_for"]

# What decides which settings the agent reads; a service manager gives it none of the shell's variables.
_PASSED_ON = (
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CA_BUNDLE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "UNEXPIRE_CACHE_DIR",
    "UNEXPIRE_CONFIG",
    "UNEXPIRE_AGENT_SOCKET",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "PATH",
)


@dataclass(frozen=True, slots=True)
class Service:
    """A file to write, and the lines that start and remove what it describes."""

    path: Path
    text: str
    start: tuple[str, ...]
    remove: tuple[str, ...]


def service_for(
    environment: Environment, profiles: Sequence[str], *, options: Sequence[str] = (), platform: str = sys.platform
) -> Service:
    """The service of this user on this system; `options` are those of `unexpire agent`.

    Raises ConfigurationError where there is no home or no known service manager. A proxy's URL may hold a password: such
    variables are left out.
    """
    if environment.home is None:
        raise ConfigurationError("there is no home folder to install into", where="HOME")
    words = [sys.executable, "-P", "-m", "unexpire", "agent", *options, *profiles]
    variables = {
        name: value
        for name, value in environment.variables.items()
        if name in _PASSED_ON and value and "@" not in value
    }
    if platform == "darwin":
        return _launchd(environment.home, words, variables)
    if platform.startswith("linux"):
        return _systemd(environment, words, variables)
    raise ConfigurationError(
        f"no service manager is known on {platform}", hint="start unexpire agent with your session"
    )


def _systemd(environment: Environment, words: Sequence[str], variables: Mapping[str, str]) -> Service:
    """systemd.service(5), systemd.exec(5); ``%`` and ``$`` mean something there."""
    base = environment.variables.get("XDG_CONFIG_HOME", "")
    assert environment.home is not None
    folder = Path(base) if os.path.isabs(base) else environment.home / ".config"
    line = " ".join(_systemd_word(word) for word in words)
    passed = "".join(f"Environment={_systemd_word(f'{name}={value}')}\n" for name, value in sorted(variables.items()))
    text = (
        "[Unit]\n"
        "Description=unexpire agent: AWS credentials that do not run out\n\n"
        "[Service]\n"
        f"ExecStart={line}\n"
        f"{passed}"
        "Restart=on-failure\n"
        "RestartSec=5\n"
        "TimeoutStopSec=5\n"
        "NoNewPrivileges=yes\n"
        "UMask=0077\n\n"
        "[Install]\n"
        "WantedBy=default.target\n"
    )
    return Service(
        folder / "systemd" / "user" / "unexpire-agent.service",
        text,
        ("systemctl --user daemon-reload", "systemctl --user enable --now unexpire-agent"),
        ("systemctl --user disable --now unexpire-agent",),
    )


def _systemd_word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$").replace("\n", "\\n")
    return f'"{escaped}"'


def _launchd(home: Path, words: Sequence[str], variables: Mapping[str, str]) -> Service:
    """launchd.plist(5)."""
    path = home / "Library" / "LaunchAgents" / "dev.unexpire.agent.plist"
    arguments = "".join(f"    <string>{escape(word)}</string>\n" for word in words)
    passed = "".join(
        f"    <key>{escape(name)}</key>\n    <string>{escape(value)}</string>\n"
        for name, value in sorted(variables.items())
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n'
        '<plist version="1.0">\n<dict>\n'
        "  <key>Label</key>\n  <string>dev.unexpire.agent</string>\n"
        f"  <key>ProgramArguments</key>\n  <array>\n{arguments}  </array>\n"
        f"  <key>EnvironmentVariables</key>\n  <dict>\n{passed}  </dict>\n"
        "  <key>RunAtLoad</key>\n  <true/>\n"
        "  <key>KeepAlive</key>\n  <dict>\n    <key>SuccessfulExit</key>\n    <false/>\n  </dict>\n"
        "</dict>\n</plist>\n"
    )
    quoted = shlex.quote(str(path))
    return Service(path, text, (f"launchctl load -w {quoted}",), (f"launchctl unload -w {quoted}",))
