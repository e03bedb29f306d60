"""Where files live: uploads, the checked rows, the chunks and the reports, on a local folder or an object store.

Keys, never paths: a job's files stand under `jobs/<public id>/`, so that a job's files can be removed in one go.
Knows nothing of what is in the files.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from worker.infra import scratch
from worker.infra.settings import get_settings

BLOCK = 4 * 1024 * 1024  # bytes; large enough that a system call is cheap, small enough for a hundred uploads at once
FAILURES: tuple[type[Exception], ...] = (BaseError, OSError)  # what a storage out of reach looks like


class MissingFileError(LookupError):
    """The file is not there (any more), whatever the backend."""


class StoreError(Exception):
    """The store cannot do it now: it is full, or away. Nothing is wrong with the file, so it may be tried again."""


@contextmanager
def _told_alike(key: str) -> Iterator[None]:
    """Two kinds of failure, `MissingFileError` and `StoreError`, whatever the backend raises."""
    try:
        yield
    except FileNotFoundError as error:
        raise MissingFileError(key) from error
    except (BaseError, OSError) as error:
        raise StoreError(f"{key}: {error}".partition("\n")[0]) from error


def folder_of(job: str) -> str:
    """Where all files of a job stand."""
    return f"jobs/{job}"


def upload_key(job: str) -> str:
    """The file as it was uploaded."""
    return f"{folder_of(job)}/upload"


def listed_key(job: str) -> str:
    """The rows of a job that came as a list or a selection: text columns under the names of `schemas.columns`."""
    return f"{folder_of(job)}/listed.arrow"


def rows_key(job: str, check: int) -> str:
    """The file's own cells, as text, in file order (Arrow): a record batch for each batch that was read.

    `check` is the lease under which they were read: one that comes too late must not overwrite what counts.
    """
    return f"{folder_of(job)}/check-{check}/rows.arrow"


def batch_key(job: str, check: int, number: int, lease_token: int) -> str:
    """What was found for one batch of rows (Arrow), named by the finder's lease; `check` as in `rows_key`."""
    return f"{folder_of(job)}/check-{check}/batches/{number:06}-{lease_token}.arrow"


def checked_key(job: str, check: int) -> str:
    """What checking found for every row, in file order (Arrow); `check` as in `rows_key`."""
    return f"{folder_of(job)}/check-{check}/checked.arrow"


def chunk_key(job: str, check: int, number: int) -> str:
    """Rows that one transaction writes, sorted by number (Arrow); `check` as in `rows_key`."""
    return f"{folder_of(job)}/check-{check}/{number:06}.arrow"


def result_key(job: str, number: int, lease_token: int) -> str:
    """What became of a chunk's rows. Named by the lease, so that a late loser never overwrites the winner's."""
    return f"{folder_of(job)}/results/{number:06}-{lease_token}.arrow"


def image_key(job: str, number: int, lease_token: int) -> str:
    """How a chunk's numbers stood before (Arrow, `schemas.results.IMAGES`); named as in `result_key`."""
    return f"{folder_of(job)}/images/{number:06}-{lease_token}.arrow"


def preview_key(job: str, check: int) -> str:
    """What would become of every row of a job under review (Arrow, as `results_key`); `check` as in `rows_key`."""
    return f"{folder_of(job)}/check-{check}/preview.arrow"


def results_key(job: str) -> str:
    """The result of every row, in file order (Arrow)."""
    return f"{folder_of(job)}/results.arrow"


def report_key(job: str, part: int = 0) -> str:
    """A part of the report as CSV, the first with the header; most have no more than one."""
    return f"{folder_of(job)}/report.csv" if part == 0 else f"{folder_of(job)}/report-{part:06}.csv"


def workbook_key(job: str, name: str, lease_token: int) -> str:
    """A workbook report, named by the lease under which it was built as in `result_key`."""
    return f"{folder_of(job)}/{name}-{lease_token}.xlsx"


@lru_cache(maxsize=1)
def store() -> ObjectStore:
    """This process's way to the files."""
    url = get_settings().files_url
    return from_url(url, mkdir=True, automatic_cleanup=True) if url.startswith("file:") else from_url(url)


class Receiver:
    """A file being written block by block, counted and, with `digest`, digested on the way.

    Nothing is visible under the key before `commit`; a receiver that is dropped leaves nothing. Raises `StoreError`.
    """

    def __init__(self, key: str, *, digest: bool = True) -> None:
        self.size = 0
        self._digests = digest
        self.sha256 = hashlib.sha256()
        self._key = key
        with _told_alike(key):
            self._writer: Any = obstore.open_writer(store(), key, buffer_size=BLOCK)

    def write(self, block: bytes | memoryview) -> int:
        self.size += len(block)
        if self._digests:
            self.sha256.update(block)
        with _told_alike(self._key):
            self._writer.write(block)
        return len(block)

    def commit(self) -> None:
        with _told_alike(self._key):
            self._writer.close()
            _keep(self._key)
            keep_name(self._key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.commit()
        self._writer = None  # dropping an unfinished writer discards what it wrote


def _keep(key: str) -> None:
    """Have a file of a local store outlast a power cut, as the commit that will tell of it does."""
    top = root()
    if top is not None:
        _sync(top / key)


def keep_name(key: str) -> None:
    """Have the names of files in a folder of a local store outlast a power cut, too. `StoreError`."""
    top = root()
    if top is not None:
        with _told_alike(key):
            _sync((top / key).parent)


def _sync(path: Path) -> None:
    held = os.open(path, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)


def put(key: str, content: bytes | Path, *, with_name: bool = True) -> None:
    """Store a small file, or a file that stands in a local folder. `StoreError`.

    Who stores many in one folder calls `keep_name` once, at the end.
    """
    with _told_alike(key):
        obstore.put(store(), key, content)
        _keep(key)
    if with_name:
        keep_name(key)


def get(key: str) -> memoryview:
    """A small file's content. `MissingFileError` if it is not there, `StoreError`."""
    with _told_alike(key):
        return memoryview(obstore.get(store(), key).bytes())


def stream(key: str, *following: str) -> Iterator[bytes]:
    """A file's content, block by block, and then that of others.

    `MissingFileError` if the first is not there, raised before its first block.
    """
    with _told_alike(key):
        found = obstore.get(store(), key)
    return chain((bytes(block) for block in found.stream(min_chunk_size=BLOCK)), *map(_streamed, following))


def _streamed(key: str) -> Iterator[bytes]:
    yield from stream(key)


class Reader:
    """A file of an object store as Arrow reads one: only the ranges that are asked for are fetched. `StoreError`."""

    closed = False

    def __init__(self, key: str) -> None:
        self._key = key
        with _told_alike(key):
            self._reader = obstore.open_reader(store(), key)

    def read(self, size: int = -1) -> bytes:
        with _told_alike(self._key):
            return bytes(self._reader.read() if size < 0 else self._reader.read(size))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._reader.seek(offset, whence)

    def tell(self) -> int:
        return self._reader.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def opened(key: str) -> tuple[BinaryIO, int]:
    """Open a file for reading at any place; with its size in bytes. `MissingFileError`, `StoreError`."""
    top = root()
    with _told_alike(key):
        file = cast("BinaryIO", Reader(key) if top is None else (top / key).open("rb"))
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    return file, size


@contextmanager
def local(key: str) -> Iterator[Path]:
    """The file as a path to read: itself on a local store, else a temporary copy. `MissingFileError`."""
    top = root()
    if top is not None:
        if not (top / key).exists():
            raise MissingFileError(key)
        yield top / key
        return
    with scratch.folder() as folder:
        path = folder / "file"
        with _told_alike(key), path.open("wb") as copy:
            copy.writelines(stream(key))
        yield path


def remove(key: str) -> None:
    """Delete one file, which need not be there. `StoreError`."""
    with suppress(MissingFileError), _told_alike(key):
        obstore.delete(store(), key)


def root() -> Path | None:
    """The folder that holds everything; None on an object store."""
    backend = store()
    return Path(backend.prefix) if isinstance(backend, LocalStore) and backend.prefix is not None else None


def local_folder(job: str) -> Path | None:
    """A job's folder, which need not be there; None on an object store.

    Nothing else may be removed: `ValueError` for what is no job's id, `NotADirectoryError` for a link to elsewhere.
    """
    if str(UUID(job)) != job:
        raise ValueError(job)
    top = root()
    folder = None if top is None else top / folder_of(job)
    if folder is not None and folder.is_symlink():
        raise NotADirectoryError(folder)
    return folder


def remove_job(job: str) -> None:
    """Delete every file of a job, and half-written ones, which the local store itself does not show."""
    folder = local_folder(job)
    if folder is not None:
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)  # follows no links
        return
    paths = [entry["path"] for entry in obstore.list(store(), folder_of(job)).collect()]
    if paths:
        obstore.delete(store(), paths)


def check() -> None:
    """Raise if the store cannot be reached (readiness)."""
    obstore.list_with_delimiter(store(), "probe")
