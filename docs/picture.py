"""Draws docs/diagnosis.svg from the real output of `unexpire diagnose` in the lab. `make picture` runs it."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from unexpire.lab import Lab
from unexpire.stores.session_cache import SessionCache

THEME = TerminalTheme(
    (17, 20, 28), (222, 226, 234),
    [(17, 20, 28), (255, 107, 107), (94, 211, 145), (250, 204, 92), (106, 168, 255), (200, 146, 255), (96, 205, 224), (222, 226, 234)],
    [(92, 99, 112), (255, 135, 135), (120, 226, 165), (255, 218, 121), (140, 190, 255), (216, 170, 255), (130, 222, 238), (255, 255, 255)],
)  # fmt: skip
# click takes the colours out of what goes into a pipe.
IN_COLOUR = """
import click
click.utils.should_strip_ansi = click._compat.should_strip_ansi = lambda *a, **k: False
from unexpire.cli import main
main.run(["diagnose"], color=True)
"""
TYPED = "aws s3 sync . s3://backup; unexpire diagnose"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Lab() as lab:
        home = Path(folder)
        (home / ".aws").mkdir()
        keys = lab.user_credentials
        (home / ".aws/config").write_text(
            "[default]\nregion = us-east-1\n\n[profile base]\nregion = us-east-1\n\n[profile prod]\nregion = us-east-1\n"
            f"role_arn = {lab.role_arn('Deploy')}\nsource_profile = base\n"
        )
        (home / ".aws/credentials").write_text(
            f"[base]\naws_access_key_id = {keys.access_key_id}\naws_secret_access_key = {keys.secret_access_key}\n"
        )
        dead = lab.issue_session("Deploy", seconds=-840)
        assert dead.expiration is not None
        # The end of the copy is known from the cache of the tool that made it, as it would be on anybody's machine.
        cache = SessionCache(home / "cache", clock=lambda: datetime.now(UTC) - timedelta(hours=1))
        cache.save("copied", dead.issued(dead.expiration - timedelta(hours=1)))
        variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        variables |= lab.environment(home) | {
            "UNEXPIRE_CACHE_DIR": str(home / "cache"),
            "AWS_PROFILE": "prod",
            "AWS_ACCESS_KEY_ID": dead.access_key_id,
            "AWS_SECRET_ACCESS_KEY": dead.secret_access_key,
            "AWS_SESSION_TOKEN": dead.session_token or "",
            "FORCE_COLOR": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", IN_COLOUR],
            env=variables, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode != 3:
        sys.exit(
            f"diagnose ended with {done.returncode}, the picture wants a dead session:\n{done.stdout}{done.stderr}"
        )
    console = Console(record=True, width=82, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.assemble(("$ ", "bold green"), (TYPED, "bold")))
    console.print(Text("An error occurred (ExpiredToken) when calling the ListObjectsV2 operation: …", "dim"))
    console.print(Text.from_ansi(done.stdout.rstrip()))
    svg = console.export_svg(title="unexpire diagnose", theme=THEME)
    # rich names a font on a CDN; a picture in a README asks nobody for anything.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas").replace(
        'clip-path="url(#', 'clip-path="url(#'
    )
    Path("docs/diagnosis.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")


main()
