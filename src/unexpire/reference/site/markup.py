"""Markdown of a page to HTML: coloured code, commands that can be copied, and names of pages that lead there."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["code_block", "coloured", "inline", "markdown", "plain", "stylesheet"]

Link = Callable[[str], str | None]
"""The address of the page that a name leads to, or None."""

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[a-z0-9][_/:.])(?=\w)")
"""Where a long name may be broken: a column of a table is narrow on a phone, and a break inside a word makes another word."""

_LEXERS = {"sh": "bash", "bash": "bash", "python": "python"}
_NAMES = {"sh": "shell", "bash": "bash", "python": "Python"}


def markdown(text: str, link: Link) -> str:
    """A section's HTML. Raw HTML in the text is shown, not passed on."""
    out: str = _parser().render(text, {"link": link})
    return out


def inline(text: str, link: Link) -> str:
    """One line's HTML, without a paragraph around it."""
    out: str = _parser().renderInline(text, {"link": link})
    return out


def plain(text: str) -> str:
    """The words of a Markdown text, for the search index and descriptions."""
    words: list[str] = []

    def walk(tokens: list[Token]) -> None:
        for token in tokens:
            if token.type in ("text", "code_inline"):
                words.append(token.content)
            elif token.type in ("softbreak", "hardbreak", "paragraph_close", "td_close", "th_close"):
                words.append(" ")
            walk(token.children or [])

    walk(_parser().parse(text))
    return " ".join("".join(words).split())


def code_block(text: str, info: str) -> str:
    """A block of code in colour, with its language and room for a copy button."""
    language = info.split()[0] if info else "text"
    name = _NAMES.get(language, language)
    return (
        f'<figure class="code code-{html.escape(language)}"><figcaption>{html.escape(name)}</figcaption>'
        f'<pre tabindex="0" aria-label="{html.escape(name)}"><code>{coloured(text, language)}</code></pre></figure>\n'
    )


def coloured(text: str, language: str) -> str:
    """Spans with Pygments' classes, which `stylesheet` gives their colours; plain text for a language without a lexer."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name

    lexer = _LEXERS.get(language)
    if lexer is None:
        return html.escape(text, quote=False)
    return str(highlight(text, get_lexer_by_name(lexer), HtmlFormatter(nowrap=True))).rstrip("\n")


def stylesheet() -> str:
    """The few kinds of tokens that are told apart, in the colours of `site.css`: light and dark come from there."""
    kinds = {
        "comment": ("c", "c1", "ch", "cm", "cs", "cpf"),
        "string": ("s", "s1", "s2", "sb", "sc", "sd", "sh", "si", "se", "sx", "sa", "ld"),
        "keyword": ("k", "kc", "kd", "kn", "kr", "kt", "ow"),
        "name": ("nb", "nc", "nf", "fm", "nd", "ne"),
        "value": ("nv", "vc", "vg", "vi", "m", "mi", "mf", "mh", "il"),
    }
    return "".join(
        ",".join(f"code .{name}" for name in names) + f"{{color:var(--code-{kind})}}\n" for kind, names in kinds.items()
    )


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    for name, rule in (("fence", _fence), ("code_inline", _code), ("table_open", _table), ("table_close", _table_end)):
        parser.add_render_rule(name, rule)
    return parser


def _fence(_self: Any, tokens: list[Token], at: int, _options: Any, _env: Any) -> str:
    return code_block(tokens[at].content.rstrip("\n"), tokens[at].info)


def _code(_self: Any, tokens: list[Token], at: int, _options: Any, env: Any) -> str:
    said = tokens[at].content
    shown = f"<code>{_HUMP.sub('<wbr>', html.escape(said))}</code>"
    address = env["link"](said) if env and "link" in env else None
    return f'<a href="{html.escape(address)}">{shown}</a>' if address else shown


def _table(*_: Any) -> str:
    return '<div class="table" tabindex="0" role="group" aria-label="table"><table>\n'


def _table_end(*_: Any) -> str:
    return "</table></div>\n"
