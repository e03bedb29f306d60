"""Workbooks as rows: has them read by a limited child process and streams what that wrote.

A workbook is never opened in this process: 1.7 kB of it can abort a parser or make it ask for 50 GB.
"""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, cast

import numpy as np
import pyarrow as pa

from schemas.codes import Code
from worker.stages.reading.model import Block, Cells, Hints, Limits, fault
from worker.stages.reading.shape import blank_rows, fit

CHILD = Path(__file__).with_name("child.py")
# All the child gets to know of our environment; no settings, no secrets.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH")
# What threads reserve counts against the child's address space; each of the two that parse a large sheet has an arena
# to itself, as they would wait for each other at every cell.
CHILD_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "3", "OMP_NUM_THREADS": "1"}
TOP_ROWS = 64  # made into cells at a time, while the header is looked for
TRY_AGAIN = 75  # the child's exit code when the workbook is not to blame


class ChildKilledError(Exception):
    """The child was killed from outside: its own limits end it in other ways, so nothing is known of the workbook."""


@dataclass(frozen=True)
class Workbook:
    """A `Source` of the cells of one worksheet, in an Arrow file the child wrote."""

    cells: Path
    sheet: str
    notes: tuple[str, ...]
    format: str
    encoding: str | None = None
    delimiter: str | None = None

    def top(self) -> Iterator[tuple[int, Cells]]:
        for first, batch in self._batches():
            for start in range(0, batch.num_rows, TOP_ROWS):
                part = batch.slice(start, TOP_ROWS)
                rows = zip(*(column.to_pylist() for column in part.columns), strict=True)
                yield from ((first + start + place, list(cells)) for place, cells in enumerate(rows))

    def reach(self, header_row: int) -> int:
        reach = 0
        for first, batch in self._batches():
            below = batch.slice(max(0, header_row + 1 - first))
            filled = [place for place, column in enumerate(below.columns, start=1) if not _all_blank(column)]
            reach = max(reach, *filled, 0)
        return reach

    def blocks(self, width: int) -> Iterator[Block]:
        for first, batch in self._batches():
            yield Block(np.arange(first, first + batch.num_rows), *fit(batch.columns, width))

    def _batches(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        first = 1
        with pa.memory_map(str(self.cells)) as file:
            reader = pa.ipc.open_file(file)
            for place in range(reader.num_record_batches):
                batch = reader.get_batch(place)
                yield first, batch
                first += batch.num_rows


@dataclass(frozen=True)
class Packed:
    """A file that came in an archive and stands in `path` now; `name` is what it was called there."""

    path: Path
    name: str


def open_workbook(
    path: Path, limits: Limits, target: Path, hints: Hints, notes: tuple[str, ...] = ()
) -> Workbook | Packed:
    """Have the worksheet that is wanted read, or the first visible one; an archive with one file in it is unpacked.

    Either goes to `target`. `notes` are sentences to begin with.

    `FileFault` UNSUPPORTED_TYPE (another kind of archive), ENCRYPTED_FILE, EMPTY_FILE, or UNREADABLE_FILE: damaged, or
    the child crashed, or came to the end of its memory or time, or there is no such sheet. `OSError` if there was no
    room to read it into; `ChildKilledError` if somebody killed the child, the machine short of memory perhaps.
    """
    answer = _answer(path, target, limits, hints)
    if "code" in answer:
        fault(Code(str(answer["code"])), str(answer["detail"]))
    if "unpacked" in answer:
        return Packed(target, str(answer["unpacked"]))
    return Workbook(target, str(answer["sheet"]), (*notes, *_notes(answer)), str(answer["kind"]))


def _notes(answer: Mapping[str, object]) -> Iterator[str]:
    if others := cast("list[str]", answer["others"]):
        more = f" and {answer['unnamed']} more" if answer["unnamed"] else ""
        yield f"Only the sheet “{answer['sheet']}” was read; the others: {', '.join(others)}{more}."
    if hidden := cast("int", answer.get("hidden_rows")):
        said = (
            "1 row is hidden in the sheet; it was"
            if hidden == 1
            else f"{hidden:,} rows are hidden in the sheet; they were"
        )
        yield f"{said} read like the others."
    if merged := cast("list[str]", answer.get("merged")):
        count = cast("int", answer["merged_count"])
        more = f" and {count - len(merged):,} more" if count > len(merged) else ""
        yield f"Merged cells ({', '.join(merged)}{more}) hold their text in the first cell; the others are empty."


def _answer(path: Path, target: Path, limits: Limits, hints: Hints) -> Mapping[str, object]:
    numbers = (
        limits.child_memory_bytes,
        math.ceil(limits.child_seconds),
        limits.inflated_bytes,
        limits.inflated_ratio,
        limits.sheets,
        os.getpid(),
    )
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | CHILD_ENVIRONMENT
    order = (str(path.resolve()), str(target.resolve()), hints.sheet or "", *map(str, numbers))
    command = [sys.executable, "-I", str(CHILD), *order]
    try:
        output, returncode = _run(command, environment, limits.child_seconds)
    except subprocess.TimeoutExpired:
        _out_of_time(limits)
    if returncode == -signal.SIGXCPU:
        _out_of_time(limits)
    if returncode == TRY_AGAIN:
        raise OSError(errno.ENOSPC, "no room to read a workbook into")
    if returncode == -signal.SIGKILL:
        raise ChildKilledError
    if returncode < 0:
        detail = "The workbook could not be read: it is damaged, or asks for more memory than a sheet of numbers needs."
        fault(Code.UNREADABLE_FILE, detail, signal=signal.Signals(-returncode).name)
    if returncode > 0:
        fault(Code.UNREADABLE_FILE, "The workbook is damaged or cut off.", exit_code=returncode)
    try:
        answer: dict[str, object] = json.loads(output)
    except ValueError:
        fault(Code.UNREADABLE_FILE, "The workbook could not be read.")
    return answer


def _run(command: list[str], environment: dict[str, str], seconds: float) -> tuple[bytes, int]:
    # A session of its own, so that the child can be ended with all it may have started.
    with subprocess.Popen(  # noqa: S603  our own interpreter and file; the upload is only named
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    ) as child:
        try:
            output, _ = child.communicate(timeout=seconds)
        except BaseException:
            # Whatever ends the wait, a signal to this process or a task's time limit, must end the child too.
            os.killpg(child.pid, signal.SIGKILL)
            raise
    return output, child.returncode


def _out_of_time(limits: Limits) -> NoReturn:
    detail = f"The workbook could not be read within {limits.child_seconds:g} seconds."
    fault(Code.UNREADABLE_FILE, detail, seconds=limits.child_seconds)


def _all_blank(column: pa.Array) -> bool:
    return bool(blank_rows([column], len(column)).all())
