"""PostgreSQL's binary formats, encoded and decoded with whole arrays: COPY rows, and arrays of bigint.

Knows no tables: the caller maps columns to types. The server accepts a value only in the exact width of its column.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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
    count = np.full(len(fields[0].values), len(fields), ">i2")
    if all(isinstance(field.size, int) for field in fields):
        return b"".join((_HEADER, _rows(fields, count).tobytes(), _TRAILER))
    parts: list[pa.LargeBinaryArray] = []
    for is_same, group in itertools.groupby(fields, lambda field: isinstance(field.size, int)):
        if is_same:
            parts.append(_as_binary(_rows(list(group), None if parts else count)))
        else:
            parts += [] if parts else [_as_binary(count)]
            parts += map(_shortened, group)
    joined = pc.binary_join_element_wise(*parts, pa.scalar(b"", pa.large_binary()))
    return b"".join((_HEADER, joined.buffers()[2] if len(joined) else b"", _TRAILER))


def _rows(fields: Sequence[Field], count: NDArray[np.generic] | None = None) -> NDArray[np.void]:
    """Return each value after its size, in fields of one width; before them the number of fields, if it is set."""
    columns: dict[str, NDArray[np.generic] | int] = {} if count is None else {"fields": count}
    layout = [] if count is None else [("fields", ">i2")]
    for index, field in enumerate(fields):
        layout += [(f"size{index}", ">i4"), (f"value{index}", field.values.dtype.str)]
        columns |= {f"size{index}": field.size, f"value{index}": field.values}
    rows = np.empty(len(fields[0].values), np.dtype(layout))
    for name, values in columns.items():
        rows[name] = values
    return rows


def _as_binary(rows: NDArray[np.generic]) -> pa.LargeBinaryArray:
    width = rows.dtype.itemsize
    offsets = np.arange(0, (len(rows) + 1) * width, width, dtype=np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(rows)]
    return pa.Array.from_buffers(pa.large_binary(), len(rows), buffers)


def _shortened(field: Field) -> pa.LargeBinaryArray:
    """Return each value after its size, without what is behind a NULL or behind a shorter value."""
    whole = _as_binary(_rows([field]))
    longest = field.values.dtype.itemsize
    cells = whole
    for size in np.unique(field.size).tolist():
        if size < longest:
            shorter = pc.binary_slice(whole, 0, 4 + max(size, 0))
            cells = pc.if_else(pa.array(field.size == size), shorter, cells)
    return cells


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
