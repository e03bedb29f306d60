"""Keeps a list of services running: starts them in order, restarts those that end, stops them in reverse order.

Services that do not depend on each other are started and stopped at the same time.

Knows no concrete service. Use it in the main thread: it handles SIGTERM and SIGINT while it is entered.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Self

from worker.runtime.processes.child import Child, ServerError, Service, await_ready

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
# A service that ran this long was healthy: its restart pause begins again with the first one.
STEADY_AFTER = 10.0
LOOK_EVERY = 0.1

logger = logging.getLogger("numberyard.supervisor")


@dataclass
class _Supervised:
    service: Service
    child: Child | None
    started_at: float
    turn: int  # those of one turn are started at the same time, and stopped
    pause: float = FIRST_PAUSE
    start_again_at: float = 0.0


class Supervisor:
    """Supervised services; all of them end with the `with` block, at the latest with this process.

    On SIGTERM or SIGINT, `run_forever` returns; while services are still being started, `SystemExit(0)` is raised
    instead. Then the end of the block drains the services. A second signal while draining kills everything at once.
    """

    def __init__(self) -> None:
        self._processes: list[_Supervised] = []
        # `_deferring`: a signal is only recorded. Before the loop runs, it interrupts instead, because nothing would
        # read the record.
        self._deferring = self._stopping = self._hurried = False
        self._handlers: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._hurried, self._stopping = self._stopping, True
        if not self._deferring and not self._hurried:
            self._deferring = True
            logger.info("%s: stopping", signal.Signals(number).name)
            raise SystemExit(0)

    def start(self, service: Service) -> None:
        """Start a service and wait until it is ready. ServerError with its last log lines if it can't be started."""
        self.start_together([service])

    def start_together(self, services: Sequence[Service]) -> None:
        """Start services at the same time and wait until all are ready; they are stopped at the same time, too.

        If one can't be started, end the others of them and raise its ServerError, with its last log lines.
        """
        began, turn = time.monotonic(), len(self._processes)
        children: list[Child] = []
        try:
            for service in services:
                children.append(Child(service.command()))  # noqa: PERF401 - each is known before the next is started
            for service, child in zip(services, children, strict=True):
                await_ready(service, child)
                logger.info("%s is ready after %.2f s (pid %d)", service.name, time.monotonic() - began, child.pid)
        except BaseException:
            for child in children:
                child.kill()
            raise
        now = time.monotonic()
        self._processes += (
            _Supervised(service, child, now, turn) for service, child in zip(services, children, strict=True)
        )

    def start_all(self, services: Iterable[Service]) -> None:
        """Start services in order; if one can't be started, stop the previous ones and raise its ServerError."""
        try:
            for service in services:
                self.start(service)
        except ServerError:
            self.stop_all()
            raise

    def run_forever(self) -> None:
        """Supervise the services until SIGTERM or SIGINT, then drain and stop them all."""
        self._deferring = True
        while not self._stopping:
            self.check()
            time.sleep(LOOK_EVERY)
        logger.info("stopping")
        self.stop_all()

    def check(self) -> None:
        """Detect services that have ended and restart those that are due. Never waits until a service is ready."""
        for process in self._processes:
            if process.child is not None and (code := process.child.ended()) is not None:
                self._note_end(process, code)
            if process.child is None and time.monotonic() >= process.start_again_at:
                self._start_again(process)

    def _note_end(self, process: _Supervised, code: int) -> None:
        process.child = None
        lived = time.monotonic() - process.started_at
        if lived >= STEADY_AFTER:
            process.pause = FIRST_PAUSE
        logger.warning(
            "%s ended (%s) after %.1f s, starting it again in %.1f s",
            process.service.name,
            _cause(code),
            lived,
            process.pause,
        )
        self._postpone(process)

    def _start_again(self, process: _Supervised) -> None:
        process.started_at = time.monotonic()
        try:
            process.child = Child(process.service.command())
        except (ServerError, OSError) as error:
            logger.warning("%s can't be started, next try in %.1f s: %s", process.service.name, process.pause, error)
            self._postpone(process)
        else:
            logger.info("%s started again (pid %d)", process.service.name, process.child.pid)

    def _postpone(self, process: _Supervised) -> None:
        process.start_again_at = time.monotonic() + process.pause
        process.pause = min(process.pause * 2, LONGEST_PAUSE)

    def stop_all(self) -> None:
        """Stop every service in reverse order: its stop signal, its time to drain, the end of all its processes."""
        self._deferring = self._stopping = True
        while self._processes:
            last = [process for process in self._processes if process.turn == self._processes[-1].turn]
            children = ((process.service, process.child) for process in reversed(last))
            self._stop([(service, child) for service, child in children if child is not None and child.ended() is None])
            del self._processes[-len(last) :]

    def _stop(self, running: Sequence[tuple[Service, Child]]) -> None:
        began = time.monotonic()
        for service, child in running:
            child.ask_to_end(service.stop_signal)
        for service, child in running:
            if self._hurried:
                # All at once: the next service must not run on while this one is being killed.
                self._kill_all()
                return
            left = began + service.stop_timeout - time.monotonic()
            if child.await_end(left, hurry=lambda: self._hurried):
                logger.info("%s stopped after %.2f s", service.name, time.monotonic() - began)
            else:
                logger.warning("%s killed after %.2f s", service.name, time.monotonic() - began)

    def _kill_all(self) -> None:
        logger.warning("second signal: killing what still runs")
        for process in reversed(self._processes):
            if process.child is not None:
                process.child.kill()


def _cause(code: int) -> str:
    with_signal = code - 128 if code > 128 else -code  # noqa: PLR2004 - the shell's convention, also the subreaper's
    try:
        return signal.Signals(with_signal).name if with_signal > 0 else f"exit code {code}"
    except ValueError:
        return f"exit code {code}"
