"""Arrow files in the storage: written whole, read whole, or streamed from a local copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from worker.infra import storage


def put_table(key: str, table: pa.Table) -> None:
    """Store a table."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    storage.put(key, sink.getvalue().to_pybytes())


def get_table(key: str) -> pa.Table:
    """A stored table. `storage.MissingFileError` if it is not there."""
    return pa.ipc.open_file(pa.BufferReader(pa.py_buffer(storage.get(key)))).read_all()


@contextmanager
def writer(path: Path, schema: pa.Schema) -> Iterator[pa.ipc.RecordBatchFileWriter]:
    """A local Arrow file to be filled batch by batch."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as made:
        yield made


class Batches:
    """A stored file of record batches; only what is read is in memory."""

    def __init__(self, reader: pa.ipc.RecordBatchFileReader) -> None:
        self._reader = reader

    def table(self) -> pa.Table:
        """All of it at once; on a local store still mapped from the file, not read."""
        return self._reader.read_all()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return (self._reader.get_batch(place) for place in range(self._reader.num_record_batches))


@contextmanager
def batches(key: str) -> Iterator[Batches]:
    """Stream a stored file. `storage.MissingFileError` if it is not there."""
    with storage.local(key) as path, _mapped(key, path) as source:
        yield Batches(pa.ipc.open_file(source))


def _mapped(key: str, path: Path) -> pa.MemoryMappedFile:
    try:
        return pa.memory_map(str(path))
    except FileNotFoundError as error:  # removed since it was found
        raise storage.MissingFileError(key) from error
