"""Stores files in background threads while the caller continues; all are stored when the `with` block has ended.

A file that survives a power failure costs some milliseconds of waiting, in which other files and other work proceed.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import lru_cache

import pyarrow as pa

from worker.storage import arrow_files, files

THREADS = 4
MOST_WAITING = 16  # files; each is in memory until it is stored


class Files:
    """Files that are being stored."""

    def __init__(self) -> None:
        self._under_way: deque[Future[None]] = deque()
        self._folders: dict[str, str] = {}  # folder -> key of one of its files

    def put(self, key: str, table: pa.Table) -> None:
        """Start to store a table, which must not change. `StoreError`, for any file, here or at the block's end."""
        while len(self._under_way) >= MOST_WAITING:
            self._under_way.popleft().result()
        self._under_way.append(_threads().submit(arrow_files.put_table, key, table, with_name=False))
        self._folders[key.rpartition("/")[0]] = key

    def finish(self) -> None:
        """Wait until all files and their directory entries are durable. `StoreError`."""
        for write in self._under_way:
            write.result()
        for write in [_threads().submit(files.keep_name, key) for key in self._folders.values()]:
            write.result()

    def give_up(self) -> None:
        """Cancel pending writes; no write outlives the `with` block."""
        wait([write for write in self._under_way if not write.cancel()])


@contextmanager
def storing() -> Iterator[Files]:
    """Yield a `Files` whose files are all stored when the block has ended. `StoreError`."""
    files = Files()
    try:
        yield files
        files.finish()
    finally:
        files.give_up()


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="aside")


# A forked child has none of its parent's threads.
os.register_at_fork(after_in_child=_threads.cache_clear)
