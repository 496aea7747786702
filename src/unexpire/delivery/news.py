"""What an agent tells people on its terminal or in its journal: each trouble once, and once that it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from .kept import Kept

__all__ = ["News"]


class News:
    """`say` prints a line. A trouble goes by the name of what has it: the same words of one name are said once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self._troubles: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        """Whether a trouble of this name was told, and not yet that it is over."""
        return name in self._troubles

    def trouble(self, name: str, text: str) -> None:
        if self._troubles.get(name) != text:
            self._troubles[name] = text
            self.say(f"{name}: {text}")

    def of(self, concerned: Iterable[Kept], copies: Mapping[tuple[str, str], str]) -> None:
        """How those stand that something may be said of, and the copies (profile, target) that cannot be written."""
        for (_, target), problem in list(copies.items()):
            self.trouble(f"profile {target}", f"cannot be written: {problem}")
        for kept in concerned:
            name, error = kept.asked.name, kept.refresher.error
            if error is not None:
                self.trouble(name, f"{error}; try: {error.hint}" if error.hint else str(error))
            elif self._troubles.pop(name, None) is not None and kept.refresher.peek() is not None:
                self.say(f"{name}: fresh again")
