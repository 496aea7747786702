"""The reference as a web site: the same pages as in the terminal, as files that need no server and ask nobody.

`files()` names every file of the site with what makes its content; `unexpire reference build` writes them, and the dashboard serves
them from memory. Every link is relative and names its file, so that the site works from a folder, below any path, and from a server.
"""

from __future__ import annotations

from .files import files

__all__ = ["files"]
