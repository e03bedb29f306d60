"""100,000 realistic rows through the whole service, with one worker and with four (R28, R29; issue 2)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from schemas.codes import CATALOGUE, Code
from tests.support.api_client import table
from tests.support.files import sheets
from tests.support.servers import service
from tests.support.servers.service import Json
from webhook.cli.commands.sample import write_sample
from worker.sample import generator
from worker.sample.faults import FAULTS, Kind

pytestmark = pytest.mark.xdist_group("import")
ROWS, SEED = 100_000, 7
CHUNK = 7_000
AREAS = (907, 808, 701, 605)  # whose numbers the sample leaves alone
EDGES = (1, CHUNK - 1, CHUNK, CHUNK + 1)  # rows that go on to be written, around the size of a chunk


@dataclass(frozen=True)
class Imported:
    """What an import left behind."""

    job: Json
    report: bytes
    numbers: list[int]
    empty: Json
    edges: list[tuple[Json, bytes]]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "numbers.csv"
    write_sample(path, ROWS, SEED)
    return path


def _imported(file: Path, folder: Path, workers: int) -> Imported:
    # More chunks than workers, so that they get in each other's way.
    with service.running(folder, workers, rows_per_chunk=CHUNK, lease_seconds=20) as up:
        client = up.client("Harbour")
        job = client.ended(client.upload(file.read_bytes()))
        numbers = [row.e164 for row in up.ask("SELECT e164 FROM phone_numbers ORDER BY e164")]
        report = client.report(job["id"])
        empty = client.ended(client.upload(_edge(0, 0)))
        ended = [client.ended(client.upload(_edge(place, count))) for place, count in enumerate(EDGES)]
        return Imported(job, report, numbers, empty, [(each, client.report(each["id"])) for each in ended])


def _edge(place: int, count: int) -> bytes:
    """So many new numbers, last first, between a row that fails and one that repeats the last number."""
    sound = [["1", f"{AREAS[place]}555{row:04}", "TRUE", "", ""] for row in reversed(range(count))]
    around = [["1", "212", "TRUE", "", ""], *sound, sound[-1]] if sound else []
    return sheets.csv_bytes([sheets.HEADER, *around])


@pytest.fixture(scope="module")
def alone(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    return _imported(file, tmp_path_factory.mktemp("one"), workers=1)


@pytest.fixture(scope="module")
def together(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    return _imported(file, tmp_path_factory.mktemp("four"), workers=4)


def test_r29_the_report_is_the_same_with_one_worker_and_with_four(alone: Imported, together: Imported) -> None:
    assert alone.report == together.report
    assert alone.numbers == together.numbers
    for name in ("status", "counts", "error_summary", "file"):
        assert alone.job[name] == together.job[name]


def test_r28_one_result_per_row_in_file_order(together: Imported) -> None:
    lines = table(together.report)
    assert [line["_row"] for line in lines] == [str(row) for row in range(2, ROWS + 2)]
    results = Counter(line["_result"] for line in lines)
    counts = together.job["counts"]
    assert counts["total"] == ROWS == sum(results.values())
    assert all(counts[name] == count for name, count in results.items())
    assert counts["warnings"] == sum(bool(line["_warnings"]) for line in lines)
    assert len(together.numbers) == counts["created"]
    assert together.job["status"] == "completed_with_errors"


@pytest.mark.parametrize("place", range(len(EDGES)), ids=map(str, EDGES))
def test_r28_r29_around_the_size_of_a_chunk(alone: Imported, together: Imported, place: int) -> None:
    """Each row once, in file order, byte for byte the same with one worker and with four."""
    (job, report), (_, same) = alone.edges[place], together.edges[place]
    assert report == same
    lines = table(report)
    assert [line["_row"] for line in lines] == [str(row) for row in range(2, EDGES[place] + 4)]
    assert [line["_code"] for line in lines] == ["TOO_SHORT", *["CREATED"] * EDGES[place], "DUPLICATE_IN_FILE"]
    assert lines[-1]["_duplicate_of_row"] == str(EDGES[place] + 2)
    counts = job["counts"]
    assert (counts["created"], counts["skipped"], counts["failed"]) == (EDGES[place], 1, 1)
    assert counts["total"] == EDGES[place] + 2


def test_a_file_without_rows_ends_the_same_way(alone: Imported, together: Imported) -> None:
    for imported in (alone, together):
        assert (imported.empty["status"], imported.empty["problem"]["code"]) == ("failed", "EMPTY_FILE")
        assert imported.empty["counts"]["total"] == 0


def test_every_row_comes_to_what_was_put_into_it(together: Imported) -> None:
    """The generator knows each row's fault, and the number behind each sound one."""
    batches = list(generator.batches(ROWS, SEED))
    kinds = np.concatenate([batch.kinds for batch in batches])
    e164 = np.concatenate([batch.e164 for batch in batches])
    lines = table(together.report)
    wrong = []
    for line, kind, number in zip(lines, kinds.tolist(), e164.tolist(), strict=True):
        expected = FAULTS[Kind(kind)]
        fits = line["_code"] == expected.code
        fits &= expected.warning is None or expected.warning in line["_warnings"].split()
        if expected.code in {Code.CREATED, Code.DUPLICATE_IN_FILE, Code.CONFLICTING_DUPLICATE}:
            fits &= line["_number"] == f"+{number}"
        if not fits:
            wrong.append((Kind(kind).name, line))
    assert wrong == []


def test_r16_every_pointer_names_the_first_row_of_its_number(together: Imported) -> None:
    first: dict[str, str] = {}
    pointers = 0
    for line in table(together.report):
        if line["_code"] == "CREATED":
            assert line["_number"] not in first
            first[line["_number"]] = line["_row"]
        elif line["_code"] in {"DUPLICATE_IN_FILE", "CONFLICTING_DUPLICATE"}:
            assert line["_duplicate_of_row"] == first[line["_number"]]
            pointers += 1
        else:
            assert line["_duplicate_of_row"] == ""
    assert pointers > ROWS // 200


def test_the_summary_is_the_reports(together: Imported) -> None:
    failed = Counter(line["_code"] for line in table(together.report) if line["_result"] == "failed")
    summary = {entry["code"]: entry["count"] for entry in together.job["error_summary"]}
    assert summary == dict(failed)
    assert list(summary) == sorted(summary, key=lambda code: (-summary[code], CATALOGUE[Code(code)].number))
