"""Displays of a job's progress on a terminal: bars, or a plain line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.table import Column

from webhook.cli.client import Json
from webhook.cli.summary import is_over, is_reviewed, progress_line
from webhook.cli.terminal import is_dumb, note, shows_color, shows_progress, size, span

LINE_SECONDS = 3.0
_NARROW = 60
_QUEUE = "Queue"
_NAMES = {"checking": "Check", "running": "Import", "publishing": "Report", "cancelling": "Stop"}


class View(Protocol):
    """A progress display on stderr. Entering and leaving the context starts and ends it."""

    poll_seconds: int

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def uploading(self, sent: int, total: int) -> None: ...
    def show(self, job: Json) -> None: ...
    def note(self, text: str) -> None: ...


def open_view() -> View:
    """Return the view that suits stderr: bars, lines on a terminal that cannot move the cursor, otherwise nothing."""
    if not shows_progress():
        return Nothing()
    return Lines() if is_dumb() else Bars()


class Nothing:
    """Shows no progress, only notes."""

    poll_seconds = 5

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: there is nothing to close."""

    def uploading(self, sent: int, total: int) -> None:
        """Do nothing."""

    def show(self, job: Json) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        note(text)


class Lines(Nothing):
    """Plain lines, at most one every `LINE_SECONDS` for each phase."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._is_sent = False
        # An upload shorter than `LINE_SECONDS` prints only its last line.
        self._last: tuple[str, float] = ("upload", self._began)

    def uploading(self, sent: int, total: int) -> None:
        is_last = sent >= total and not self._is_sent
        self._is_sent = sent >= total
        if is_last or (not self._is_sent and self._is_due("upload")):
            note(f"upload: {_sent(sent, total, self._clock() - self._began)}")

    def show(self, job: Json) -> None:
        if not (is_over(job) or is_reviewed(job)) and self._is_due(str(job.get("status"))):
            note(progress_line(job))

    def _is_due(self, phase: str) -> bool:
        shown, at = self._last
        now = self._clock()
        if shown == phase and now - at < LINE_SECONDS:
            return False
        self._last = (phase, now)
        return True


class Bars:
    """One bar each for upload, check, import and report."""

    # Short, because the bars do not move while a request waits.
    poll_seconds = 1

    def __init__(self) -> None:
        self._progress = _progress()
        self._tasks: dict[str, TaskID] = {}
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def uploading(self, sent: int, total: int) -> None:
        detail = _sent(sent, total, time.monotonic() - self._began)
        self._progress.update(self._task("Upload"), completed=sent, total=total, detail=detail)

    def show(self, job: Json) -> None:
        if is_over(job) or is_reviewed(job):
            if is_reviewed(job) or str(job.get("status")).startswith("completed"):
                self._finish(but="")
            return
        progress = job.get("progress") or {}
        if (position := progress.get("queue_position")) or str(job.get("status")) not in _NAMES:
            self._waits(f"position {position:,}" if isinstance(position, int) else "queued")
            return
        name = _NAMES[str(job.get("status"))]
        name = "Write" if name == "Import" and job.get("kind") != "upload" else name
        task = self._task(name)
        self._finish(but=name)
        done, total = progress.get("rows_done") or 0, progress.get("rows_total")
        # A total of 0 is not known yet; a bar without a total pulses.
        self._progress.update(task, completed=done, total=total or None, detail=progress_line(job).partition(": ")[2])

    def note(self, text: str) -> None:
        # Not wrapped, so that a suggested command can be copied as one line.
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _waits(self, detail: str) -> None:
        self._progress.update(self._task(_QUEUE), total=None, detail=detail, visible=True)

    def _task(self, name: str) -> TaskID:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=None, detail="")
        return self._tasks[name]

    def _finish(self, but: str) -> None:
        """Fill the bars of the finished phases and replace their details, which are out of date."""
        names = {task: name for name, task in self._tasks.items()}
        for task in self._progress.tasks:
            name = names[task.id]
            if name == _QUEUE:
                self._progress.update(task.id, visible=False)
            elif name not in {but, "Upload"} and not task.fields.get("is_over"):
                total, detail = task.total or 1, f"{task.total:,.0f} rows" if task.total else ""
                self._progress.update(task.id, completed=total, total=total, detail=detail, is_over=True)


def _progress() -> Progress:
    console = Console(stderr=True, no_color=not shows_color())
    # A narrow terminal has room for the figures only.
    bar = [BarColumn(min(40, console.width // 3))] if console.width >= _NARROW else []
    return Progress(
        TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=6)),
        *bar,
        TaskProgressColumn(table_column=Column(no_wrap=True, min_width=4)),
        TextColumn("{task.fields[detail]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        console=console,
    )


def _sent(sent: int, total: int, seconds: float) -> str:
    """Format how much of a file is sent, at what speed, and the time left at that speed."""
    if seconds <= 0 or not sent:
        return f"{size(sent)} of {size(total)}"
    speed = sent / seconds
    left = f", {span((total - sent) / speed)} left" if sent < total else ""
    return f"{size(sent)} of {size(total)}, {size(speed)}/s{left}"
