"""The same file by other means: a bare COPY, an afternoon's script, django-import-export.

All on one server, into tables with the same columns and indexes. The peers check, convert and write; they make no
report, survive no crash and know no tenants. Their time begins when their interpreter is up.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import environments, figures, imports
from tests.benchmarks.figures import Figure, Findings, Json, Limit, at_least, guarded
from tests.benchmarks.lab import Lab, Service

TABLE = "peer"
OURS, COPY = "this service", "bare COPY"


@dataclass(frozen=True)
class Peer:
    """A module of `peers`, the environment that it runs in, what it is told, and how many times faster we must be."""

    name: str
    environment: str
    module: str
    arguments: tuple[str, ...] = ()
    limit: Limit | None = None
    by_row: bool = False


PEERS = (
    Peer("an afternoon's script", "afternoon", "afternoon", (), at_least(40)),
    Peer("django-import-export, in bulk", "django", "django_import", ("bulk",), at_least(15)),
    Peer("django-import-export, defaults", "django", "django_import", ("defaults",), by_row=True),
)


def scenario(lab: Lab) -> Findings:
    """Rows per second: 40 times those of the script, 15 times those of django-import-export in bulk."""
    service, sizes = imports.warmed(lab), lab.sizes
    few = min(sizes.peer_by_row, sizes.peer)
    pythons = {peer.environment: environments.python_of(peer.environment, lab.cache) for peer in PEERS}
    rates: dict[str, list[float]] = defaultdict(list)
    answers: list[Json] = []
    for _ in range(lab.rounds):
        ours = imports.run(lab, service, lab.file(sizes.peer))
        written = ours.counts["created"]
        answers.append(
            {"peer": OURS, "rows": sizes.peer, "seconds": ours.seconds, "written": written, "way": "whole import"}
        )
        rates[OURS].append(ours.rate)
        rates[COPY].append(sizes.peer / imports.bare_copy(service, imports.rows_in_file_order(service, ours.job)))
        for peer in PEERS:
            rows = few if peer.by_row else sizes.peer
            found = _run(service, peer, pythons[peer.environment], lab.file(rows))
            answers.append(found | {"peer": peer.name, "rows": rows})
            rates[peer.name].append(rows / found["seconds"])
    service.connection.execute(f"DROP TABLE {TABLE}".encode())
    told = [
        Figure(name, figures.median(found), "rows/s", None, _note(lab, name, answers)) for name, found in rates.items()
    ]
    told += [_times_faster(lab, peer, rates) for peer in PEERS]
    return Findings(told, {"rates": rates, "answers": answers})


def _run(service: Service, peer: Peer, python: Path, file: Path) -> Json:
    service.like_the_inventory(TABLE)
    found = environments.run(python, peer.module, service.database_url, str(file.absolute()), TABLE, *peer.arguments)
    stored = service.ask(f"SELECT count(*) FROM {TABLE}")  # noqa: S608 - our own table
    if not stored or stored != found["written"]:
        raise RuntimeError(f"{peer.name} says {found['written']} rows, the table has {stored}")
    return found


def _times_faster(lab: Lab, peer: Peer, rates: dict[str, list[float]]) -> Figure:
    limit = None if peer.limit is None else guarded(lab.sizes.judged, peer.limit)
    return Figure(f"{OURS} / {peer.name}", figures.ratios(rates[OURS], rates[peer.name]), "x", limit)


def _note(lab: Lab, name: str, answers: list[Json]) -> str:
    """How it did it, how much came of it, and whether fewer rows stand for all, which favours what slows down."""
    mine = next((answer for answer in answers if answer["peer"] == name), None)
    if mine is None:
        return ""
    told = f"{mine['way']}; {mine['written']:,} of {mine['rows']:,} rows written"
    return f"{told}; more are taken to go as fast" if mine["rows"] < lab.sizes.peer else told
