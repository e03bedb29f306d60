"""The prose of a file: comments, docstrings, texts that people see, and documents, without code and markup.

A text is a string with a space in it; strings of one word are keys and names.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator

_CODE = re.compile(r"`[^`\n]*`")  # in comments, docstrings and documents
_TEMPLATE_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_TEMPLATE_CODE = re.compile(r"\{[{%].*?[}%]\}", re.DOTALL)
_SIGNATURE = re.compile(r"\w+\([^)]*\)")  # of a macro, in its comment
_ATTRIBUTE = re.compile(r'(?:aria-label|placeholder|title|alt|content)="([^"]*)"')
_QUOTED = re.compile(r"\"([^\"\n]*)\"")
_SCRIPT_COMMENT = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)
_SCRIPT_TEMPLATE = re.compile(r"`([^`]*)`")


def python(source: str) -> Iterator[str]:
    """Yield comments and strings with a space."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield _CODE.sub("", token.string)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield _CODE.sub("", node.value)


def template(source: str) -> Iterator[str]:
    """Yield comments, strings with a space in code, some attributes, and the text between tags."""
    for comment in _TEMPLATE_COMMENT.findall(source):
        yield _SIGNATURE.sub("", _CODE.sub("", comment))
    source = _TEMPLATE_COMMENT.sub("", source)
    for code in _TEMPLATE_CODE.findall(source):
        yield from (text for text in _QUOTED.findall(code) if " " in text)
    markup = _TEMPLATE_CODE.sub("", source)
    yield from _ATTRIBUTE.findall(markup)
    yield re.sub(r"<[^>]*>", " ", markup)


def script(source: str) -> Iterator[str]:
    """Yield comments and strings with a space; a style sheet has only comments."""
    for comment in _SCRIPT_COMMENT.findall(source):
        yield _CODE.sub("", comment)
    source = _SCRIPT_COMMENT.sub("", source)
    texts = [*_QUOTED.findall(source), *(re.sub(r"\$\{[^}]*\}", "", text) for text in _SCRIPT_TEMPLATE.findall(source))]
    yield from (text for text in texts if " " in text)


def document(source: str) -> Iterator[str]:
    """Yield the text without code and the targets of links."""
    text = re.sub(r"```.*?```", "", source, flags=re.DOTALL)
    yield re.sub(r"\]\([^)]*\)", "]", _CODE.sub("", text))


READERS: dict[str, Callable[[str], Iterator[str]]] = {
    ".py": python,
    ".html": template,
    ".js": script,
    ".css": script,
    ".md": document,
}
