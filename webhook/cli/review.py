"""The review of a job as text: the expected outcome of its rows, by tenant and carrier, and the first changes."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.codes import Outcome
from webhook.cli.client import Json
from webhook.cli.console import number, safe, when

_CHANGES = 10
_SOURCES = 10
_WRITTEN = (Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED)


def review_lines(job: Json) -> Iterator[str]:
    """Yield the lines of a job's review; none if it has no review."""
    review = job.get("review")
    if not isinstance(review, dict):
        return
    yield ""
    yield f"Nothing is changed until you confirm. Expected result (confirm by {when(review.get('expires_at'))}):"
    effect = review.get("effect") or {}
    yield from (f"{outcome.value:>12}  {effect[outcome]:>11,}" for outcome in Outcome if effect.get(outcome))
    yield from _targets(review.get("targets") or [])
    yield from _sources(review.get("taken_from") or [])
    yield from _carriers(review.get("carriers") or [])
    yield from _changes(review.get("changes") or [])


def _targets(targets: list[Json]) -> Iterator[str]:
    if targets:
        yield from ("", "Tenants")
    for entry in targets:
        counts = ", ".join(f"{number(entry[kind])} {kind.value}" for kind in _WRITTEN if entry.get(kind))
        yield f"  {safe((entry.get('tenant') or {}).get('name'))}: {counts}"


def _sources(sources: list[Json]) -> Iterator[str]:
    """Yield the tenants that would lose numbers to others (R19), most numbers first."""
    if sources:
        yield from ("", "Taken from")
    named, others = sources[:_SOURCES], sources[_SOURCES:]
    for entry in named:
        yield f"  {safe((entry.get('tenant') or {}).get('name') or 'others')}: {number(entry.get('count'))}"
    if others:
        yield f"  others: {number(sum(int(entry.get('count') or 0) for entry in others))}"


def _carriers(carriers: list[Json]) -> Iterator[str]:
    if carriers:
        yield from ("", "Carriers")
    for entry in carriers:
        yield f"  {safe(entry.get('name'))} ({safe(entry.get('service'))}): {number(entry.get('count'))}"


def _changes(changes: list[Json]) -> Iterator[str]:
    """Yield the changes to existing numbers. New numbers are only counted."""
    known = [entry for entry in changes if isinstance(entry.get("before"), dict)]
    if known:
        yield from ("", "Changes" if len(known) <= _CHANGES else f"Changes, the first {_CHANGES}")
    for entry in known[:_CHANGES]:
        before, after = entry["before"], entry.get("after")
        parts = ["deleted"] if after is None else [_change(name, before[name], after.get(name)) for name in before]
        yield f"  {safe(entry.get('number'))}  {', '.join(filter(None, parts))}"


def _change(name: str, before: object, after: object) -> str:
    return "" if before == after else f"{safe(name)}: {_word(before)} -> {_word(after)}"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return safe(value.get("name") if isinstance(value, dict) else value) or "none"
