"""The streams in the root of a compound file ([MS-CFB]), as far as they can be read: chains may be truncated or wrong.

Imported by the child process (`child.py`, started by path), so it imports nothing of the project.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator

SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
HEADER_SECTORS = 109  # sectors of the allocation table that the header itself lists
ENTRY = 128
ROOT, STREAM, STORAGE = 5, 2, 1
SECTOR_SHIFTS = range(6, 21)


class CompoundFile:
    """The directory of a compound file; names are case-insensitive."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._shift, self._short_shift = struct.unpack_from("<HH", content, 30)
        if self._shift not in SECTOR_SHIFTS or self._short_shift not in SECTOR_SHIFTS:
            self._shift, self._short_shift = 9, 6
        directory, self._cutoff, short_table = struct.unpack_from("<I4xII", content, 48)
        self._table = self._allocation_table()
        self._short_table = _numbers(self._chain(short_table))
        entries = self._chain(directory)
        self._entries = [entries[position : position + ENTRY] for position in range(0, len(entries) - ENTRY + 1, ENTRY)]
        root = next((entry for entry in self._entries if entry[66] == ROOT), bytes(ENTRY))
        self._short_sectors = self._chain(struct.unpack_from("<I", root, 116)[0])
        self._in_root = {_name(entry): entry for entry in self._children(struct.unpack_from("<I", root, 76)[0])}
        if not self._in_root:  # the directory tree is damaged
            self._in_root = {_name(entry): entry for entry in self._entries if entry[66] == STREAM}

    @property
    def names(self) -> frozenset[str]:
        """The names of streams and storages in the root, in lower case."""
        return frozenset(self._in_root)

    def stream(self, name: str) -> bytes:
        """Return the content of a stream, empty if it has none."""
        start, size = struct.unpack_from("<II", self._in_root[name], 116)
        content = self._chain(start) if size >= self._cutoff else self._short_chain(start)
        return content[:size]

    def _children(self, first: int) -> Iterator[bytes]:
        waiting, visited = [first], set[int]()
        while waiting:
            number = waiting.pop()
            if number < len(self._entries) and number not in visited:
                visited.add(number)
                yield self._entries[number]
                waiting += struct.unpack_from("<II", self._entries[number], 68)

    def _allocation_table(self) -> array[int]:
        sectors = list(struct.unpack_from(f"<{HEADER_SECTORS}I", self._content, 76))
        more, count = struct.unpack_from("<II", self._content, 68)
        for _ in range(min(count, len(self._content) >> self._shift)):
            listed = _numbers(self._sector(more))
            if not listed:
                break
            sectors += listed[:-1]
            more = listed[-1]
        return _numbers(b"".join(self._sector(number) for number in sectors))

    def _sector(self, number: int) -> bytes:
        begin = number + 1 << self._shift
        return self._content[begin : begin + (1 << self._shift)]

    def _chain(self, number: int) -> bytes:
        return b"".join(map(self._sector, _followed(self._table, number)))

    def _short_chain(self, number: int) -> bytes:
        size = 1 << self._short_shift
        chain = _followed(self._short_table, number)
        return b"".join(self._short_sectors[each * size : (each + 1) * size] for each in chain)


def _followed(table: array[int], number: int) -> Iterator[int]:
    """Yield the sector numbers of a chain until it ends, leaves the table or repeats."""
    visited = set[int]()
    while number < len(table) and number not in visited:
        visited.add(number)
        yield number
        number = table[number]


def _numbers(content: bytes) -> array[int]:
    numbers = array("I")
    numbers.frombytes(content[: len(content) & -4])
    return numbers


def _name(entry: bytes) -> str:
    size = min(max(struct.unpack_from("<H", entry, 64)[0] - 2, 0), 62)
    return entry[:size].decode("utf-16-le", "replace").lower()
