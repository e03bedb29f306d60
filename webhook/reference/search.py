"""The search: over operations, guides, codes and permissions, without a server of its own.

The index is a few hundred short texts, so that a search is a scan of some hundred kilobytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from webhook.reference import guides
from webhook.reference.code_lists import code_lists
from webhook.reference.fields import Field
from webhook.reference.operations import Operations

MOST_CHARACTERS = 100  # of a query
_MOST_RESULTS = 40
_MOST_WORDS = 8
_EXCERPT = 160  # characters


@dataclass(frozen=True)
class Entry:
    """What a search can find. `title` and `names` count more than `text`; all lower case but `title` and `excerpt`."""

    kind: str
    title: str
    address: str
    names: str
    text: str
    excerpt: str


def search(index: Iterable[Entry], query: str) -> list[Entry]:
    """Return the entries that contain every word of the query, the best first."""
    words = query.lower().split()[:_MOST_WORDS]
    if not words:
        return []
    ranked = []
    for entry in index:
        ranks = [_rank(entry, word) for word in words]
        if all(ranks):
            ranked.append((-sum(ranks), len(entry.title), entry))
    return [entry for *_, entry in sorted(ranked, key=lambda each: each[:2])[:_MOST_RESULTS]]


def _rank(entry: Entry, word: str) -> int:
    """Return how well a word matches: 0 for not at all."""
    title = entry.title.lower()
    if word == title or word in entry.names.split():
        return 8
    return 4 * (word in title) + 3 * (word in entry.names) + (word in entry.text)


def build(operations: Operations) -> tuple[Entry, ...]:
    """Return the index."""
    return (*_operations(operations), *_guides(), *_codes())


def _operations(operations: Operations) -> Iterator[Entry]:
    for operation in operations.by_id.values():
        fields = [operation.parameters, *(body.fields for body in operation.bodies)]
        names = " ".join(name for group in fields for name in _names(group))
        codes = " ".join(code for answer in operation.answers for code in answer.codes)
        yield Entry(
            "Event" if operation.is_event else "Operation",
            operation.label,
            f"{guides.ROOT}/operations/{operation.id}",
            f"{operation.id} {operation.method} {operation.path}".lower(),
            f"{operation.summary} {operation.description} {names} {codes}".lower(),
            operation.summary,
        )


def _names(fields: Iterable[Field]) -> Iterator[str]:
    for field in fields:
        yield field.name
        yield from _names(field.fields)


def _guides() -> Iterator[Entry]:
    for guide in guides.GUIDES:
        article = guides.article(guide.name)
        address = f"{guides.ROOT}/{guide.name}"
        yield Entry("Guide", article.title, address, guide.name, article.lead.lower(), _excerpt(article.lead))
        for section in article.sections:
            title = f"{article.title}: {section.title}"
            where = f"{address}#{section.anchor}"
            yield Entry("Guide", title, where, section.anchor, section.text.lower(), _excerpt(section.text))


def _codes() -> Iterator[Entry]:
    for codes in code_lists():
        for entry in codes.entries:
            text = f"{entry.meaning} {entry.fix}"
            where = f"{guides.ROOT}/codes#{codes.anchor}-{entry.code}"
            yield Entry(codes.title, entry.code, where, entry.code.lower(), text.lower(), _excerpt(text))


def _excerpt(text: str) -> str:
    return text if len(text) <= _EXCERPT else text[:_EXCERPT].rpartition(" ")[0] + " ..."
