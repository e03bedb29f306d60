"""Markdown and source text as HTML: the Markdown of our guides and descriptions, never of a user.

HTML in Markdown is escaped. The libraries are loaded with the first page that is requested: a process that serves no
documentation does not need them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_WORD = re.compile(r"[^\w\- ]")
_EXTERNAL = re.compile(r"https?://")
_LANGUAGES = {"bash", "python", "json", "http", "javascript", "php", "yaml", "csv"}


@dataclass(frozen=True)
class Section:
    """A heading of a page: its anchor, its level (2 or more), its text, and the text below it, for the search."""

    anchor: str
    level: int
    title: str
    text: str


@dataclass(frozen=True)
class Article:
    """A rendered Markdown file: its first heading, the text and the HTML below it, and its sections."""

    title: str
    lead: str
    html: Markup
    sections: tuple[Section, ...]


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - see above

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("heading_close", _heading_close)
    parser.add_render_rule(
        "table_open", lambda *_: '<div class="table-box" tabindex="0" role="region" aria-label="Table"><table>'
    )
    parser.add_render_rule("table_close", lambda *_: "</table></div>")
    return parser


def _fence(_renderer: object, tokens: list[Token], index: int, *_: object) -> str:
    token = tokens[index]
    return str(code_box(token.content.rstrip("\n"), token.info.strip()))


def _heading_close(_renderer: object, tokens: list[Token], index: int, *_: object) -> str:
    """End a heading with a link to itself, if it has an anchor."""
    start = tokens[index - 2]
    end = f"</{tokens[index].tag}>\n"
    if not (anchor := start.attrGet("id")):
        return end
    label = plain(tokens[index - 1].content)
    link = Markup(' <a class="anchor" href="#{}" aria-label="Link to {}">#</a>').format(anchor, label)
    return str(link) + end


def inline(text: str) -> Markup:
    """Return one line of Markdown as HTML."""
    return Markup(_parser().renderInline(text))  # noqa: S704 - HTML in the text is escaped


def block(text: str) -> Markup:
    """Return Markdown as HTML."""
    return Markup(_parser().render(text))  # noqa: S704 - HTML in the text is escaped


def article(text: str, link: Callable[[str], str | None]) -> Article:
    """Return a Markdown file as HTML. `link`: where a link leads; None for one that is shown as text only."""
    parser = _parser()
    tokens = parser.parse(text)
    title = tokens[1].content
    sections = _add_anchors(tokens)
    tokens = tokens[3:]
    for token in tokens:
        _resolve_links(token, link)
    first = next((index for index, token in enumerate(tokens) if token.type == "heading_open"), len(tokens))
    lead = _text(tokens[:first])
    html = Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 - as above
    return Article(title, lead, html, sections)


def _text(tokens: list[Token]) -> str:
    """Return the text of some blocks in one line, without marks and links."""
    return plain(" ".join(" ".join(token.content.split()) for token in tokens if token.content))


def _add_anchors(tokens: list[Token]) -> tuple[Section, ...]:
    """Give every heading below the first its anchor, as GitHub does, and return the sections."""
    starts = [index for index, token in enumerate(tokens) if token.type == "heading_open" and token.tag != "h1"]
    sections = []
    for number, start in enumerate(starts):
        heading = tokens[start + 1]
        anchor = slug(heading.content)
        tokens[start].attrSet("id", anchor)
        end = starts[number + 1] if number + 1 < len(starts) else len(tokens)
        text = _text(tokens[start + 2 : end])
        sections.append(Section(anchor, int(tokens[start].tag[1]), plain(heading.content), text))
    return tuple(sections)


def _resolve_links(token: Token, link: Callable[[str], str | None]) -> None:
    kept: list[Token] = []
    dropped = False
    for child in token.children or []:
        if child.type == "link_open":
            target = str(child.attrGet("href"))
            resolved = target if _EXTERNAL.match(target) else link(target)
            dropped = resolved is None
            if resolved is not None:
                child.attrSet("href", resolved)
        if not (dropped and child.type in {"link_open", "link_close"}):
            kept.append(child)
        if child.type == "link_close":
            dropped = False
    if token.children is not None:
        token.children = kept


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return _WORD.sub("", plain(heading).lower()).replace(" ", "-")


def plain(text: str) -> str:
    """Return one line of Markdown without its marks."""
    return re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("`", "").replace("*", "")


def code_box(text: str, language: str = "", label: str = "Example") -> Markup:
    """Return source text in a box that scrolls and that a keyboard can reach, with its words marked by kind."""
    return Markup(
        '<div class="code-box"><pre tabindex="0" role="region" aria-label="{}"><code>{}</code></pre></div>'
    ).format(f"{label} ({language})" if language else label, _highlighted(text, language))


def _highlighted(text: str, language: str) -> Markup:
    if language not in _LANGUAGES:
        return escape(text)
    from pygments import highlight  # noqa: PLC0415 - see above
    from pygments.formatters.html import HtmlFormatter  # noqa: PLC0415
    from pygments.lexers import get_lexer_by_name  # noqa: PLC0415

    lexer: Any = get_lexer_by_name("text" if language == "csv" else language, stripnl=False)
    formatter: Any = HtmlFormatter(nowrap=True, classprefix="k-")
    return Markup(highlight(text, lexer, formatter).rstrip("\n"))  # noqa: S704 - Pygments escapes
