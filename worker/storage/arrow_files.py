"""Arrow files in the storage: written batch by batch, read whole, in part or one batch at a time.

Only the needed data is read: files of a local store are memory-mapped, of an object store only ranges are fetched.
Files are never changed, only replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pyarrow as pa

from worker.storage import files

LARGE = 8 * 1024 * 1024  # bytes; a larger table is stored without building the whole file in memory


@contextmanager
def writer(key: str, schema: pa.Schema) -> Iterator[pa.ipc.RecordBatchFileWriter]:
    """Open an Arrow file to store batch by batch. The key does not exist before the block has ended without error."""
    with (
        files.Receiver(key, digest=False) as receiver,
        pa.PythonFile(_Sink(receiver), "w") as sink,
        pa.ipc.new_file(sink, schema) as file_writer,
    ):
        yield file_writer


def put_table(key: str, table: pa.Table, *, with_name: bool = True) -> None:
    """Store a table; its chunks become the file's batches. `with_name` as in `files.put`."""
    if table.nbytes > LARGE:
        with writer(key, table.schema) as file_writer:
            file_writer.write_table(table)
        return
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as file_writer:
        file_writer.write_table(table)
    files.put(key, sink.getvalue().to_pybytes(), with_name=with_name)


def get_table(key: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a stored table, or some of its columns. `files.MissingFileError` if it does not exist.

    Columns that the file does not have are left out: an earlier release may have stored it.
    """
    source = _opened(key)
    reader = pa.ipc.open_file(source)
    names = reader.schema.names if columns is None else [name for name in columns if name in reader.schema.names]
    if columns is None or isinstance(source, (pa.MemoryMappedFile, pa.BufferReader)):
        return reader.read_all().select(names)
    options = pa.ipc.IpcReadOptions(included_fields=[reader.schema.names.index(name) for name in names])
    return pa.ipc.open_file(source, options=options).read_all()


class _Sink:
    """A receiver as a file object for Arrow, which Arrow cannot close."""

    closed = False

    def __init__(self, receiver: files.Receiver) -> None:
        self._receiver = receiver

    def write(self, block: bytes | pa.Buffer) -> int:
        return self._receiver.write(memoryview(block).cast("B"))  # Arrow's own blocks have the format of signed bytes

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def close(self) -> None:
        """Do nothing: the file becomes visible only when the receiver is committed."""


class Batches:
    """A stored file of record batches; only what is read is in memory."""

    def __init__(self, reader: pa.ipc.RecordBatchFileReader) -> None:
        self._reader = reader

    @property
    def metadata(self) -> Mapping[bytes, bytes]:
        """The metadata of the file's schema."""
        return self._reader.schema.metadata or {}

    def __len__(self) -> int:
        return int(self._reader.num_record_batches)

    def __getitem__(self, index: int) -> pa.RecordBatch:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._reader.get_batch(index)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return (self[index] for index in range(len(self)))

    def table(self) -> pa.Table:
        """Return all batches as one table; on a local store it is memory-mapped, not read."""
        return self._reader.read_all()


@contextmanager
def batches(key: str) -> Iterator[Batches]:
    """Open a stored file for reading. `files.MissingFileError` if it does not exist."""
    with _opened(key) as source:
        yield Batches(pa.ipc.open_file(source))


def _opened(key: str) -> pa.NativeFile:
    top = files.root()
    if top is None:
        reader = files.Reader(key)
        return pa.BufferReader(reader.head) if reader.size <= len(reader.head) else pa.PythonFile(reader, "r")
    try:
        return pa.memory_map(str(top / key))
    except FileNotFoundError as error:
        raise files.MissingFileError(key) from error
