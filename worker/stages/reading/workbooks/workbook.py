"""Workbooks as rows: a limited child process reads them, and this module streams its output.

This process never opens a workbook: 1.7 kB of it can abort a parser or make it allocate 50 GB.
"""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn, cast

import numpy as np
import pyarrow as pa

from schemas.codes import Code
from worker.stages.reading.model import Block, Cells, Limits, ReadOptions, fault
from worker.stages.reading.width import blank_rows, fit

CHILD = Path(__file__).with_name("child.py")
# The environment variables that the child gets; no settings, no secrets.
PASSED_ON: tuple[str, ...] = ("PATH", "LD_LIBRARY_PATH")
# Memory that threads reserve counts against the child's address space. Each of the two threads that read a sheet has
# its own arena; with a shared one they would block each other at every cell.
CHILD_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "3", "OMP_NUM_THREADS": "1"}
NOT_UNDERSTOOD = (
    "The workbook could not be read. Open it in a spreadsheet program, check its cells, and save it again as .xlsx."
)
DAMAGED = "The workbook could not be read: it is damaged, or needs more memory than is allowed."
FEWEST_SECONDS = 1.0
TOP_ROWS = 64  # converted to cells at a time, while searching for the header
# The child's exit codes if the workbook is not the cause: no room on the disk, and a disk that failed.
TRY_AGAIN = 75
IO_ERROR = 74


class ChildKilledError(Exception):
    """The child was killed from outside, so nothing is known about the workbook.

    The child's own limits end it in other ways.
    """


@dataclass(frozen=True)
class Choice:
    """Which sheet to read, by name or by index among the visible ones, and whether to avoid parsers that may crash."""

    sheet: str = ""
    position: int = 0
    is_careful: bool = False


@dataclass(frozen=True)
class Origin:
    """The file that a sheet was read from: its path, its count of visible sheets, and the notes made before.

    `others`: the names of the first of its other visible sheets.
    """

    path: Path
    sheets: int
    notes: tuple[str, ...]
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workbook:
    """A `Source` of the cells of one worksheet, in an Arrow file that the child wrote."""

    cells: Path
    sheet: str
    notes: tuple[str, ...]
    format: str
    origin: Origin
    strays: Mapping[int, str] = field(default_factory=dict)  # row -> its cells beyond the last column, as text
    encoding: str | None = None
    delimiter: str | None = None

    def top(self) -> Iterator[tuple[int, Cells]]:
        for first, batch in self._batches():
            if all(map(_all_blank, batch.columns)):
                continue  # a sheet may begin, or end, with a million empty rows
            for start in range(0, batch.num_rows, TOP_ROWS):
                part = batch.slice(start, TOP_ROWS)
                rows = zip(*(column.to_pylist() for column in part.columns), strict=True)
                yield from ((first + start + index, list(cells)) for index, cells in enumerate(rows))

    def reach(self, header_row: int) -> int:
        reach = 0
        for first, batch in self._batches():
            below = batch.slice(max(0, header_row + 1 - first))
            filled = [index for index, column in enumerate(below.columns, start=1) if not _all_blank(column)]
            reach = max(reach, *filled, 0)
        return reach

    def blocks(self, width: int) -> Iterator[Block]:
        for first, batch in self._batches():
            columns, too_wide, surplus = fit(batch.columns, width)
            for row, cells in self.strays.items():
                if first <= row < first + batch.num_rows:
                    too_wide[row - first] = True
                    surplus[row - first] = " | ".join(filter(None, (surplus.get(row - first, ""), cells)))
            yield Block(np.arange(first, first + batch.num_rows), columns, too_wide, surplus)

    def _batches(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        first = 1
        with pa.memory_map(str(self.cells)) as file:
            reader = pa.ipc.open_file(file)
            for index in range(reader.num_record_batches):
                batch = reader.get_batch(index)
                yield first, batch
                first += batch.num_rows


@dataclass(frozen=True)
class Packed:
    """A file that was uploaded in an archive: unpacked at `path`, named `name` in the archive."""

    path: Path
    name: str


def open_workbook(
    path: Path, limits: Limits, target: Path, hints: ReadOptions, notes: tuple[str, ...] = ()
) -> Workbook | Packed:
    """Have the child read the requested worksheet, or the first visible one; unpack an archive of one file.

    Both are written to `target`. `notes` are sentences that come before the workbook's own.

    Raises `FileFault` UNSUPPORTED_TYPE (another type of archive), ENCRYPTED_FILE, EMPTY_FILE, TOO_MANY_COLUMNS, or
    UNREADABLE_FILE: damaged, no such sheet, or the child crashed or exceeded its memory or time. Raises `OSError` if
    the disk is full, and `ChildKilledError` if the child was killed from outside, for example because the machine is
    short of memory.
    """
    answer = _answer_of_any_reader(path, target, limits, Choice(hints.sheet or ""))
    if "unpacked" in answer:
        return Packed(target, str(answer["unpacked"]))
    return _workbook(target, answer, Origin(path, cast("int", answer["visible"]), notes))


def open_other_sheet(book: Workbook, position: int, limits: Limits, target: Path) -> Workbook:
    """Have the child read another visible worksheet of the same file into `target`.

    `position` counts from 0. Raises the same exceptions as `open_workbook`.
    """
    answer = _answer_of_any_reader(book.origin.path, target, limits, Choice(position=position))
    return _workbook(target, answer, book.origin)


def _workbook(target: Path, answer: Mapping[str, object], origin: Origin) -> Workbook:
    strays = _strays(cast("list[tuple[int, str, str]]", answer["strays"]))
    notes = (*origin.notes, *_notes(answer))
    origin = replace(origin, others=tuple(cast("list[str]", answer["others"])))
    return Workbook(target, str(answer["sheet"]), notes, str(answer["kind"]), origin, strays)


def _answer_of_any_reader(path: Path, target: Path, limits: Limits, choice: Choice) -> Mapping[str, object]:
    """Return the child's response; if the child crashes, try again with a slower reader that does not."""
    began = time.monotonic()
    answer = _child_response(path, target, limits, choice)
    if answer is None:
        left = max(limits.child_seconds - (time.monotonic() - began), FEWEST_SECONDS)
        answer = _child_response(path, target, replace(limits, child_seconds=left), replace(choice, is_careful=True))
    if answer is None:
        fault(Code.UNREADABLE_FILE, DAMAGED)
    if "code" in answer:
        fault(Code(str(answer["code"])), str(answer["detail"]))
    return answer


def _strays(cells: Sequence[tuple[int, str, str]]) -> Mapping[int, str]:
    """Return row -> its cells beyond the last column, each with its reference."""
    rows = defaultdict[int, list[str]](list)
    for row, name, text in cells:
        rows[row].append(f"{name}: {text}")
    return {row: " | ".join(texts) for row, texts in rows.items()}


def _notes(answer: Mapping[str, object]) -> Iterator[str]:
    if others := cast("list[str]", answer["others"]):
        more = f" and {answer['unnamed']} more" if answer["unnamed"] else ""
        why = ", the first that has the columns" if answer["position"] else ""
        yield f"Only the sheet “{answer['sheet']}” was read{why}; the others: {', '.join(others)}{more}."
    if far := cast("int", answer["far_days"]):
        cells = "1 cell that holds a number is" if far == 1 else f"{far:,} cells that hold numbers are"
        yield f"{cells} formatted as a date; the number was read. Format such cells as text."
    if hidden := cast("int", answer.get("hidden_rows")):
        note = (
            "1 row is hidden in the sheet; it was"
            if hidden == 1
            else f"{hidden:,} rows are hidden in the sheet; they were"
        )
        yield f"{note} read like the others."
    if merged := cast("list[str]", answer.get("merged")):
        count = cast("int", answer["merged_count"])
        more = f" and {count - len(merged):,} more" if count > len(merged) else ""
        yield f"Merged cells ({', '.join(merged)}{more}) hold their text in the first cell; the others are empty."


def _child_response(path: Path, target: Path, limits: Limits, choice: Choice) -> Mapping[str, object] | None:
    """Return the child's response, or None if it crashed and may be run again with `careful`."""
    numbers = (
        choice.position,
        int(choice.is_careful),
        limits.child_memory_bytes,
        math.ceil(limits.child_seconds),
        limits.inflated_bytes,
        limits.inflated_ratio,
        limits.sheets,
        limits.columns,
        os.getpid(),
    )
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | CHILD_ENVIRONMENT
    order = (str(path.resolve()), str(target.resolve()), choice.sheet, *map(str, numbers))
    command = [sys.executable, "-I", str(CHILD), *order]
    try:
        output, returncode = _run(command, environment, limits.child_seconds)
    except subprocess.TimeoutExpired:
        _out_of_time(limits)
    if returncode == -signal.SIGXCPU:
        _out_of_time(limits)
    if returncode == TRY_AGAIN:
        raise OSError(errno.ENOSPC, "no room to read a workbook into")
    if returncode == IO_ERROR:
        raise OSError(errno.EIO, "the disk failed while a workbook was read")
    if returncode == -signal.SIGKILL:
        raise ChildKilledError
    if returncode < 0:
        if not choice.is_careful:
            return None
        fault(Code.UNREADABLE_FILE, DAMAGED, signal=signal.Signals(-returncode).name)
    if returncode > 0:
        fault(Code.UNREADABLE_FILE, NOT_UNDERSTOOD, exit_code=returncode)
    try:
        answer: dict[str, object] = json.loads(output)
    except ValueError:
        fault(Code.UNREADABLE_FILE, "The workbook could not be read.")
    return answer


def _run(command: list[str], environment: dict[str, str], seconds: float) -> tuple[bytes, int]:
    # A session of its own, so that the child is killed with all processes that it started.
    with subprocess.Popen(  # noqa: S603  our own interpreter and script; the upload is only an argument
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
            # Whatever ends the wait (a signal to this process, a time limit of the task) must also end the child.
            os.killpg(child.pid, signal.SIGKILL)
            raise
    return output, child.returncode


def _out_of_time(limits: Limits) -> NoReturn:
    detail = f"The workbook could not be read within {limits.child_seconds:g} seconds."
    fault(Code.UNREADABLE_FILE, detail, seconds=limits.child_seconds)


def _all_blank(column: pa.Array) -> bool:
    return bool(blank_rows([column], len(column)).all())
