"""PostgreSQL's binary forms, byte by byte as its documentation has them (COPY, "Binary Format")."""

from __future__ import annotations

import struct

import numpy as np

from worker.numbers import copy_binary

HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END = b"\xff\xff"
NULL = struct.pack("!i", -1)


def field(value: bytes) -> bytes:
    return struct.pack("!i", len(value)) + value


def test_rows_of_one_length() -> None:
    fields = [
        copy_binary.bigints(np.array([442079460958, 7])),
        copy_binary.integers(np.array([-2, 3], np.int32)),
        copy_binary.booleans(np.array([1, 0], np.int8)),
        copy_binary.texts(["", "GB"], np.array([1, 1])),
    ]
    rows = [
        b"\0\4" + field(struct.pack("!q", number)) + field(struct.pack("!i", other)) + field(flag) + field(b"GB")
        for number, other, flag in ((442079460958, -2, b"\1"), (7, 3, b"\0"))
    ]
    assert copy_binary.copy_rows(fields) == HEAD + b"".join(rows) + END


def test_nulls_and_texts_of_several_lengths_leave_no_gaps() -> None:
    ids = np.array([5, 0, 6, 0], np.int32)
    fields = [copy_binary.integers(ids, ids == 0), copy_binary.texts(["", "US", "001"], np.array([1, 2, 0, 1]))]
    rows = [
        b"\0\2" + (field(struct.pack("!i", one)) if one else NULL) + field(text)
        for one, text in zip(ids.tolist(), (b"US", b"001", b"", b"US"), strict=True)
    ]
    assert copy_binary.copy_rows(fields) == HEAD + b"".join(rows) + END


def test_no_rows() -> None:
    fields = [copy_binary.integers(np.zeros(0, np.int32)), copy_binary.texts(["US"], np.zeros(0, np.int64))]
    assert copy_binary.copy_rows(fields) == HEAD + END


def test_answers() -> None:
    sent = struct.pack("!iiIii", 1, 0, 20, 2, 1) + field(struct.pack("!ii", 3, 4)) + field(struct.pack("!q", 9))
    assert copy_binary.bigints_of(sent).tolist() == [(3 << 32) + 4, 9]
    assert [half.tolist() for half in copy_binary.pairs_of(sent)] == [[3, 0], [4, 9]]
    assert copy_binary.bigints_of(None).size == 0
