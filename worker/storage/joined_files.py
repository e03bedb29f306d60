"""Files in the storage that are one file to its readers, such as the parts of a report: read and sought as a whole."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import BinaryIO, cast

from worker.storage import files


class _Joined:
    """A file object over several files. Only the file that is being read is open."""

    def __init__(self, parts: Sequence[tuple[str, int]]) -> None:
        self._parts = parts  # key, size in bytes
        self._place = 0
        self._open: tuple[int, BinaryIO] | None = None
        self.size = sum(size for _, size in parts)

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; fewer where a part ends, none only at the end."""
        start = 0
        for number, (key, length) in enumerate(self._parts):
            if self._place < start + length:
                file = self._opened(number, key)
                file.seek(self._place - start)
                block = file.read(size if size >= 0 else length)
                self._place += len(block)
                return block
            start += length
        return b""

    def _opened(self, number: int, key: str) -> BinaryIO:
        if self._open is None or self._open[0] != number:
            self.close()
            self._open = number, files.opened(key)[0]
        return self._open[1]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = max({os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence] + offset, 0)
        return self._place

    def tell(self) -> int:
        return self._place

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None


def opened(keys: Sequence[str]) -> tuple[BinaryIO, int]:
    """Open files for random access as one; return it and its size in bytes. `MissingFileError`, `StoreError`."""
    if len(keys) == 1:
        return files.opened(keys[0])
    joined = _Joined([(key, size) for key, size in zip(keys, files.sizes(keys), strict=True)])
    return cast("BinaryIO", joined), joined.size
