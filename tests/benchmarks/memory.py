"""Peak memory of every process of the service, watched from a thread of its own.

Of our processes and the broker's: the kernel's own high-water mark of the resident set (`VmHWM`), set back at the
begin, so that no peak between two looks is missed. PostgreSQL's processes share their buffers, which each of them
counts as its own: of them the resident set without shared pages is taken (`statm`), as a sum over all, and the greatest
of one. Linux only.
"""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import psutil

from tests.support.servers.service import role_of

LOOK_EVERY = 0.05  # seconds
LOOKS_PER_ROLL_CALL = 10  # to find new processes is ten times as dear as to look at known ones
PAGE = 4096
MIB = 1 << 20
SERVERS = "postgres, unshared"
ALL_SERVERS = "all of postgres, unshared"


class Watch:
    """Peaks (MiB) by role while the block runs; after it in `peaks`: `web 1`, `worker 2`, `valkey`, ..."""

    def __init__(self) -> None:
        self.peaks: Mapping[str, float] = {}
        self._known: dict[int, str] = {}
        self._highest: dict[int, float] = defaultdict(float)
        self._servers = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._call_the_roll()
        for pid in self._known:
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
        self._look()
        self.peaks = {role: peak / MIB for role, peak in sorted(self._by_process())} | {
            ALL_SERVERS: self._servers / MIB
        }

    def _watch(self) -> None:
        looks = 0
        while not self._over.wait(LOOK_EVERY):
            looks += 1
            if looks % LOOKS_PER_ROLL_CALL == 0:
                self._call_the_roll()
            self._look()

    def _by_process(self) -> Iterator[tuple[str, float]]:
        """Every process by its role, with a number where several share it; of PostgreSQL's the greatest."""
        alike: dict[str, list[float]] = defaultdict(list)
        for pid in sorted(self._highest):
            alike[self._known[pid]].append(self._highest[pid])
        for role, found in alike.items():
            if role == SERVERS or len(found) == 1:
                yield role, max(found)
            else:
                yield from ((f"{role} {place}", peak) for place, peak in enumerate(found, start=1))

    def _call_the_roll(self) -> None:
        here = {process.pid: process for process in psutil.Process().children(recursive=True)}
        self._known |= {pid: role for pid, process in here.items() if pid not in self._known for role in _role(process)}

    def _look(self) -> None:
        together = 0.0
        for pid, role in self._known.items():
            with contextlib.suppress(OSError):
                used = _own(pid) if role == SERVERS else _high_water(pid)
                together += used if role == SERVERS else 0.0
                self._highest[pid] = max(used, self._highest[pid])
        self._servers = max(together, self._servers)


def _role(process: psutil.Process) -> Iterator[str]:
    """What a process does; nothing for guards, which are a few MiB each and do no work."""
    with contextlib.suppress(psutil.NoSuchProcess):
        words, name = process.cmdline(), process.name()
        if any(word.endswith("child.py") for word in words):
            yield "workbook reader"
        elif name.startswith(("postgres", "valkey")):
            yield SERVERS if name.startswith("postgres") else "valkey"
        elif role := role_of(process):
            parent = process.parent()
            is_first = parent is None or role_of(parent) != role
            yield f"{role}, parent" if is_first and role in {"web", "worker"} else role


def _high_water(pid: int) -> float:
    """Bytes; 0 for a process that is just ending and has no memory any more."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) * 1024
    return 0.0


def _own(pid: int) -> float:
    """Bytes that are resident and not shared."""
    _size, resident, shared, *_rest = map(int, Path(f"/proc/{pid}/statm").read_text().split())
    return float((resident - shared) * PAGE)
