"""The whole inventory as a file, against a bare COPY of the same columns with the names that they refer to."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import httpx

from tests.benchmarks import figures, imports
from tests.benchmarks.figures import Figure, Findings, at_most, guarded
from tests.benchmarks.lab import Lab, Service
from tests.benchmarks.memory import Watch

WEB = "web"
FIRST_BYTE = 0.5  # seconds
RATIO = 1.5
GROWTH = 1.1  # as for imports
WAIT = 600  # seconds
WARMING = 2  # downloads before those that count
COPY = """
    SELECT e164, voice, sms, fax,
        CASE WHEN holder_id = uploader_id AND voice_user_id IS NULL AND sms_user_id IS NULL THEN 'unassigned'
            ELSE 'assigned' END,
        holder.name, uploader.name, voice_carrier.name, sms_carrier.name, voice_user.name, sms_user.name, country
    FROM phone_numbers
        JOIN tenants holder ON holder.id = holder_id
        JOIN tenants uploader ON uploader.id = uploader_id
        LEFT JOIN carriers voice_carrier ON voice_carrier.id = voice_carrier_id
        LEFT JOIN carriers sms_carrier ON sms_carrier.id = sms_carrier_id
        LEFT JOIN users voice_user ON voice_user.id = voice_user_id
        LEFT JOIN users sms_user ON sms_user.id = sms_user_id"""


@dataclass(frozen=True)
class Sent:
    """A download: seconds until its first byte and its last, and its bytes."""

    first: float
    seconds: float
    size: int


def scenario(lab: Lab) -> Findings:
    """A CSV of 1,000,000 numbers within 1.5 x their COPY, its first byte within 0.5 s, in the memory of a small one."""
    sizes = lab.sizes
    service = imports.warmed(lab)
    _stock(lab, service, sizes.middle)
    few = _peak(service, "/v1/numbers.csv")
    _stock(lab, service, sizes.big)
    found, copies = [], []
    for _ in range(lab.rounds):
        found.append(_sent(service, "/v1/numbers.csv"))
        copies.append((_copied(service, COPY), _copied(service, f"{COPY} ORDER BY e164")))
    most = max(_peak(service, "/v1/numbers.csv") for _ in range(lab.rounds))
    lines = [_sent(service, "/v1/numbers.jsonl") for _ in range(lab.rounds)]
    jobs = {ending: _job(service, ending) for ending in ("csv", "jsonl", "xlsx")}
    plain, in_order = zip(*copies, strict=True)
    seconds = [one.seconds for one in found]
    judged, shown = sizes.judged, f"{sizes.big:,} numbers: "
    told = [
        Figure(f"{shown}CSV / COPY", figures.ratios(seconds, plain), "x", guarded(judged, at_most(RATIO))),
        Figure(
            f"{shown}CSV / COPY in the same order",
            figures.ratios(seconds, in_order),
            "x",
            guarded(judged, at_most(RATIO)),
        ),
        Figure(f"{shown}CSV", figures.median(seconds), "s"),
        Figure(f"{shown}COPY", figures.median(plain), "s"),
        Figure(f"{shown}first byte", max(one.first for one in found), "s", guarded(judged, at_most(FIRST_BYTE))),
        Figure(f"{shown}JSON lines", figures.median(one.seconds for one in lines), "s"),
        *(Figure(f"{shown}job, {ending}", took, "s") for ending, took in jobs.items()),
        Figure(f"{shown}web process", most, "MiB"),
        Figure(
            "web: peak with most numbers / fewest",
            figures.ratio(most, few),
            "x",
            guarded(judged, at_most(GROWTH)),
        ),
    ]
    return Findings(told, {"csv": [asdict(one) for one in found], "jsonl": [asdict(one) for one in lines]})


def _stock(lab: Lab, service: Service, rows: int) -> None:
    """Import a file into an empty inventory, and download it so often that every web process has done so."""
    imports.run(lab, service, lab.file(rows))
    service.connection.execute("VACUUM ANALYZE phone_numbers")
    service.connection.execute("CHECKPOINT")
    for _ in range(WARMING):
        _sent(service, "/v1/numbers.csv")


def _sent(service: Service, path: str) -> Sent:
    headers = {"Authorization": f"Bearer {service.account('reseller')['token']}", "Accept-Encoding": "identity"}
    first, size = 0.0, 0
    began = time.perf_counter()
    with httpx.stream("GET", f"{service.stack.url}{path}", headers=headers, timeout=WAIT) as answer:
        answer.raise_for_status()
        for block in answer.iter_raw():
            first = first or time.perf_counter() - began
            size += len(block)
    return Sent(first, time.perf_counter() - began, size)


def _peak(service: Service, path: str) -> float:
    """Return the peak of the largest web process (MiB) during a download that is not timed: the COPY is not watched."""
    with Watch() as watch:
        _sent(service, path)
    return max(peak for role, peak in watch.peaks.items() if role.startswith(WEB))


def _copied(service: Service, query: str) -> float:
    began = time.perf_counter()
    with service.connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)".encode()) as copy:
        sum(len(block) for block in copy)
    return time.perf_counter() - began


def _job(service: Service, ending: str) -> float:
    """Seconds of a job that exports everything, from its request to its end."""
    began = time.perf_counter()
    with service.api() as api:
        imports.ended(api, api.create("exports", {"format": ending}))
    return time.perf_counter() - began
