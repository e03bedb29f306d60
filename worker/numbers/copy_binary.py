"""PostgreSQL's binary formats, encoded and decoded with whole arrays: COPY rows, and arrays of bigint.

Knows no tables: the caller maps columns to types. The server accepts a value only in the exact width of its column.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from psycopg import Cursor
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.pq import Format

# "COPY", section "Binary Format", in PostgreSQL's documentation: signature, flags, length of the header extension; -1
# ends the data.
_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_TRAILER = struct.pack("!h", -1)
_NULL = -1
# The server's `array_send`: dimensions, NULL flag, element type (OID); then length and lower bound.
_ARRAY_HEADER = struct.Struct("!iiIii")
_INT8, _INT8_ARRAY = 20, 1016  # OIDs from pg_type.dat
_ELEMENT = np.dtype([("size", ">i4"), ("value", ">i8")])
_PAIR = np.dtype([("size", ">i4"), ("high", ">i4"), ("low", ">i4")])


@dataclass(frozen=True)
class Field:
    """A column of n rows: `values` of one width in bytes, and the size of each value in bytes, -1 for NULL.

    `size` is a single int if it is the same in all rows.
    """

    values: NDArray[np.generic]
    size: NDArray[np.int32] | int


def bigints(values: NDArray[np.int64], null: NDArray[np.bool_] | None = None) -> Field:
    """Return a bigint column, NULL where `null` is true."""
    return Field(values.astype(">i8"), _sizes(8, null))


def integers(values: NDArray[np.int32], null: NDArray[np.bool_] | None = None) -> Field:
    """Return an integer column, NULL where `null` is true."""
    return Field(values.astype(">i4"), _sizes(4, null))


def _sizes(size: int, null: NDArray[np.bool_] | None) -> NDArray[np.int32] | int:
    return size if null is None or not null.any() else np.where(null, _NULL, size).astype(np.int32)


def booleans(values: NDArray[np.generic]) -> Field:
    """Return a boolean column: true where `values` is not 0."""
    return Field((values != 0).astype("u1"), 1)


def texts(vocabulary: Sequence[str], which: NDArray[np.integer]) -> Field:
    """Return a text column: for each row the index into `vocabulary` of its text, which is short ASCII."""
    encoded = np.array([text.encode("ascii") for text in vocabulary])
    sizes = np.array([len(text) for text in vocabulary], np.int32)[which]
    same = len(sizes) > 0 and bool((sizes == sizes[0]).all())
    return Field(encoded[which].astype(f"S{sizes.max(initial=1)}"), int(sizes[0]) if same else sizes)


def copy_rows(fields: Sequence[Field]) -> bytes:
    """Return the data of `COPY .. FROM STDIN (FORMAT binary)`; the fields must be in the order of its columns."""
    layout = [("fields", ">i2")]
    for index, field in enumerate(fields):
        layout += [(f"size{index}", ">i4"), (f"value{index}", field.values.dtype.str)]
    rows = np.empty(len(fields[0].values), np.dtype(layout))
    rows["fields"] = len(fields)
    for index, field in enumerate(fields):
        rows[f"size{index}"] = field.size
        rows[f"value{index}"] = field.values
    return b"".join((_HEADER, _without_gaps(rows, fields), _TRAILER))


def _without_gaps(rows: NDArray[np.void], fields: Sequence[Field]) -> bytes:
    """Return the rows' bytes without the padding of values that are NULL or shorter than their field."""
    if all(isinstance(field.size, int) for field in fields):
        return rows.tobytes()
    matrix = rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize)
    counts, begin = np.ones(matrix.shape, np.bool_), 2
    for field in fields:
        begin, width = begin + 4, field.values.dtype.itemsize
        if not isinstance(field.size, int):
            counts[:, begin : begin + width] = np.arange(width) < field.size[:, None]
        begin += width
    return matrix[counts].tobytes()


class _Numbers(Dumper):
    """Dumps int64 arrays as bigint[]. The driver's own dumper is so slow that it takes as long as the query."""

    format = Format.BINARY
    oid = _INT8_ARRAY

    def dump(self, obj: NDArray[np.int64]) -> Buffer:
        elements = np.empty(len(obj), _ELEMENT)
        elements["size"], elements["value"] = 8, obj
        return _ARRAY_HEADER.pack(1, 0, _INT8, len(obj), 1) + elements.tobytes()


class _AsItCame(Loader):
    """Loads a bigint[] as raw bytes, for `bigints_of` and `pairs_of`."""

    format = Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


def cursor_of(connection: sa.Connection) -> Cursor[tuple[object, ...]]:
    """Return a cursor of the driver that accepts int64 arrays for bigint[], and returns bigint[] of binary results raw.

    `ConnectionError` if the connection is closed.
    """
    raw = connection.connection.driver_connection
    if raw is None:
        raise ConnectionError("the database connection is closed")
    cursor: Cursor[tuple[object, ...]] = raw.cursor()
    cursor.adapters.register_dumper(np.ndarray, _Numbers)
    cursor.adapters.register_loader(_INT8_ARRAY, _AsItCame)
    return cursor


def bigints_of(array: object) -> NDArray[np.int64]:
    """Return the elements (int64) of a bigint[] without NULLs from a binary cursor; an empty array for NULL."""
    values: NDArray[np.int64] = _elements(array, _ELEMENT)["value"].astype(np.int64)
    return values


def pairs_of(array: object) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the upper and lower halves (int32) of the elements of a bigint[], as `bigints_of`."""
    elements = _elements(array, _PAIR)
    return elements["high"].astype(np.int32), elements["low"].astype(np.int32)


def _elements(array: object, layout: np.dtype[np.void]) -> NDArray[np.void]:
    return np.frombuffer(array, layout, offset=_ARRAY_HEADER.size) if isinstance(array, bytes) else np.zeros(0, layout)
