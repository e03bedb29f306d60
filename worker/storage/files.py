"""Storage of files: uploads, checked rows, chunks and reports, in a local folder or an object store.

Keys, never paths: a job's files are under `jobs/<public id>/`, so that they can be removed together. Independent of the
contents of the files.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast
from uuid import UUID, uuid4

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore

from worker.config import waits
from worker.config.settings import Settings, get_settings
from worker.storage import object_store, scratch
from worker.storage.object_store import PART_SIZE, PARTS_AT_ONCE, Calls, StoreBusyError

if TYPE_CHECKING:
    from obstore import ObjectMeta

BLOCK = 4 * 1024 * 1024  # bytes; large enough that a system call is cheap, small enough for a hundred uploads at once
PAGE = 1000  # objects that are listed, or deleted, by one request
PROBE = "probe"  # prefix below which no files are kept
READ_AHEAD = 1024 * 1024  # least bytes of a reader's fetch, so that adjacent small reads need few requests
StoreError = object_store.StoreError  # the error that callers of the storage catch
FAILURES: tuple[type[Exception], ...] = (BaseError, OSError, StoreError)  # errors of an unavailable storage
# Seconds to wait for a slot in a web process: for a request's first call, and once it has begun to send or receive.
FIRST_WAIT, LATER_WAIT = 0.0, 2.0
_TOKENS = re.compile(r"-(\d+)(?=[./])")  # lease tokens in the part of a key below the job's folder


class MissingFileError(LookupError):
    """The file does not exist (any more), whatever the backend."""


@contextmanager
def _call(key: str, wait: float = FIRST_WAIT) -> Iterator[None]:
    """Call the store in the block; map the backend's exceptions to `MissingFileError` or `StoreError`.

    `wait`: seconds to wait for a slot in a process whose calls are limited. `StoreBusyError` after that.
    """
    try:
        if _calls is None or isinstance(store(), LocalStore):
            yield
            return
        waits.begins()
        with _calls.slot(wait):
            yield
    except FileNotFoundError as error:
        if isinstance(store(), LocalStore | MemoryStore) or any(
            code in str(error) for code in object_store.MISSING_OBJECT
        ):
            raise MissingFileError(key) from error
        raise object_store.as_store_error(key, error) from error
    except (BaseError, OSError) as error:
        raise object_store.as_store_error(key, error) from error


def limit_calls(most: int | None) -> None:
    """Limit the concurrent object store calls of this process (None: no limit)."""
    global _calls  # noqa: PLW0603 - one bound for all threads of the process
    _calls = None if most is None else Calls(most)


_calls: Calls | None = None


def folder_of(job: str) -> str:
    """Return the prefix of all files of a job."""
    return f"jobs/{job}"


def upload_key(job: str) -> str:
    """Return the key of the file as it was uploaded."""
    return f"{folder_of(job)}/upload"


def listed_key(job: str) -> str:
    """Return the key of the rows of a list or a selection: text columns with the names of `schemas.columns`."""
    return f"{folder_of(job)}/listed.arrow"


def rows_key(job: str, read_token: int) -> str:
    """Return the key of the file's cells, as text, in file order (Arrow): a record batch for each batch that was read.

    `read_token`: token of the lease under which they were read; a worker that lost it overwrites no valid file.
    """
    return f"{folder_of(job)}/check-{read_token}/rows.arrow"


def batch_key(job: str, read_token: int, number: int, lease_token: int) -> str:
    """Return the key of one batch's validated rows (Arrow), named by their lease; `read_token` as in `rows_key`."""
    return f"{folder_of(job)}/check-{read_token}/batches/{number:06}-{lease_token}.arrow"


def corrected_key(job: str, read_token: int, lease_token: int) -> str:
    """Return the key of the corrected cells of a job under review (Arrow, `schemas.arrow_schemas.CORRECTED_CELLS`)."""
    return f"{folder_of(job)}/check-{read_token}/corrected-{lease_token}.arrow"


def changed_key(job: str, read_token: int, lease_token: int) -> str:
    """Return the key of the numbers of the rows (Arrow) that the same step of a correction changed."""
    return f"{folder_of(job)}/check-{read_token}/batches/changed-{lease_token}.arrow"


def overrides_key(job: str, read_token: int, lease_token: int) -> str:
    """Return the key of validated rows (Arrow) that replace those of the batches, after a correction of few rows."""
    return f"{folder_of(job)}/check-{read_token}/batches/overrides-{lease_token}.arrow"


def effects_key(job: str, check_token: int) -> str:
    """Return the key of what each chunk would do (JSON); `check_token` as in `checked_key`."""
    return f"{folder_of(job)}/check-{check_token}/effects.json"


def checked_key(job: str, check_token: int) -> str:
    """Return the key of the check's result for every row, in file order (Arrow).

    `check_token`: token of the lease that completed the check; not the one of the read if the file has several batches.
    """
    return f"{folder_of(job)}/check-{check_token}/checked.arrow"


def chunk_key(job: str, check_token: int, number: int) -> str:
    """Return the key of the rows that one transaction writes, sorted by number (Arrow).

    `check_token` as in `checked_key`.
    """
    return f"{folder_of(job)}/check-{check_token}/{number:06}.arrow"


def result_key(job: str, number: int, lease_token: int) -> str:
    """Return the key of a chunk's results. Named by the lease: a worker that lost it overwrites no valid file."""
    return f"{folder_of(job)}/results/{number:06}-{lease_token}.arrow"


def image_key(job: str, number: int, lease_token: int) -> str:
    """Return the key of a chunk's before-images (Arrow, `schemas.arrow_schemas.IMAGES`); named as in `result_key`."""
    return f"{folder_of(job)}/images/{number:06}-{lease_token}.arrow"


def preview_key(job: str, check_token: int) -> str:
    """Return the key of the previewed results of a job under review (Arrow); `check_token` as in `checked_key`."""
    return f"{folder_of(job)}/check-{check_token}/preview.arrow"


def results_key(job: str) -> str:
    """Return the key of every row's result, in file order (Arrow)."""
    return f"{folder_of(job)}/results.arrow"


def report_key(job: str, part: int = 0) -> str:
    """Return the key of a part of the CSV report; the first has the header, and most reports have only one."""
    return f"{folder_of(job)}/report.csv" if part == 0 else f"{folder_of(job)}/report-{part:06}.csv"


def workbook_key(job: str, name: str, lease_token: int) -> str:
    """Return the key of a workbook report, named by the lease that built it, as in `result_key`."""
    return f"{folder_of(job)}/{name}-{lease_token}.xlsx"


def export_key(job: str, ending: str, lease_token: int) -> str:
    """Return the key of an export's file, named by the lease that wrote it, as in `result_key`."""
    return f"{folder_of(job)}/export-{lease_token}.{ending}"


@lru_cache(maxsize=1)
def store() -> ObjectStore:
    """Return this process's client of the store."""
    return object_store.connect(get_settings())


@lru_cache(maxsize=1)
def _probing_store() -> ObjectStore:
    """Return the client for the readiness check, which gives up sooner."""
    return object_store.connect(get_settings(), probing=True)


class Receiver:
    """A file that is written block by block; counts bytes and, with `digest`, hashes them. Use it in a `with` block.

    Nothing is visible under the key before `commit`. A block that ends with an error leaves nothing: a local store
    removes what was written, and on an object store the multipart upload is aborted, unless the store itself failed or
    the process is killed. Raises `StoreError`.
    """

    def __init__(self, key: str, *, digest: bool = True) -> None:
        self.size = 0
        self._digests = digest
        self.sha256 = hashlib.sha256()
        self._key = key
        with _call(key, LATER_WAIT):
            self._writer: Any = _open_writer(key)

    def write(self, block: bytes | memoryview) -> int:
        self.size += len(block)
        if self._digests:
            self.sha256.update(block)
        with _call(self._key, LATER_WAIT):
            self._writer.write(block)
        return len(block)

    def commit(self) -> None:
        with _call(self._key, LATER_WAIT):
            self._writer.close()
            _keep(self._key)
            keep_name(self._key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.commit()
        elif root() is None and (issubclass(kind, StoreBusyError) or not issubclass(kind, StoreError)):
            with suppress(StoreError), _call(self._key, LATER_WAIT):
                self._writer.__exit__(kind, error, at)  # aborts the multipart upload
        self._writer = None  # dropping an unfinished writer of a local store discards what it wrote


def _open_writer(key: str) -> Any:  # noqa: ANN401 - obstore's types are not published
    if root() is not None:
        return obstore.open_writer(store(), key, buffer_size=BLOCK)
    return obstore.open_writer(store(), key, buffer_size=PART_SIZE, max_concurrency=PARTS_AT_ONCE)


def _keep(key: str) -> None:
    """Make a file of a local store survive a power failure, as the commit that refers to it does."""
    top = root()
    if top is not None:
        _sync(top / key)


def keep_name(key: str) -> None:
    """Make the file names in a folder of a local store survive a power failure, too. `StoreError`."""
    top = root()
    if top is not None:
        with _call(key):
            _sync((top / key).parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put(key: str, content: bytes | Path, *, with_name: bool = True) -> None:
    """Store a small file, or a file from a local folder. `StoreError`.

    `with_name=False` leaves out `keep_name`: to store many files in one folder, call it once, at the end.
    """
    with _call(key):
        if root() is None:
            obstore.put(store(), key, content, chunk_size=PART_SIZE, max_concurrency=PARTS_AT_ONCE)
        else:
            obstore.put(store(), key, content)
            _keep(key)
    if with_name:
        keep_name(key)


def stream(key: str, *following: str) -> Iterator[bytes]:
    """Return the blocks of a file, followed by those of others.

    `MissingFileError` if the first file does not exist, raised by this call.
    """
    return chain(_blocks(key, FIRST_WAIT), *map(_later_blocks, following))


def _later_blocks(key: str) -> Iterator[bytes]:
    yield from _blocks(key, LATER_WAIT)


def _blocks(key: str, wait: float) -> Iterator[bytes]:
    """Open a file and return its blocks."""
    with _call(key, wait):
        if root() is None:
            return _ranges(key, *_beginning(key, PART_SIZE))
        local_file = obstore.get(store(), key)
    return (bytes(block) for block in local_file.stream(min_chunk_size=BLOCK))


def _beginning(key: str, length: int) -> tuple[int, bytes]:
    """Return the size of an object, and its first `length` bytes.

    By a GET: the response to a HEAD would not show whether the object or the bucket is missing.
    """
    try:
        answer = obstore.get(store(), key, options={"range": (0, length)})
        return int(answer.meta["size"]), bytes(answer.bytes())
    except BaseError as error:
        if object_store.EMPTY_OBJECT not in str(error):
            raise
        return 0, b""


def _ranges(key: str, size: int, first: bytes) -> Iterator[bytes]:
    """Yield the blocks of an object, one request each: a slow reader holds no connection and meets no time-out."""
    if first:
        yield first
    for start in range(len(first), size, PART_SIZE):
        yield _range(key, start, min(start + PART_SIZE, size))


def _range(key: str, start: int, end: int) -> bytes:
    with _call(key, LATER_WAIT):
        return bytes(obstore.get_range(store(), key, start=start, end=end))


class Reader:
    """An object as a file object for Arrow: fetches a small one at once, of a larger one only the ranges that are read.

    A request fetches at least `READ_AHEAD` and at most `PART_SIZE` bytes. The first `READ_AHEAD` bytes and the range
    that was fetched last are kept in memory. `MissingFileError`, `StoreError`.
    """

    closed = False

    def __init__(self, key: str) -> None:
        self._key = key
        self._place = 0
        with _call(key):
            self.size, self.head = _beginning(key, READ_AHEAD)
        self._start, self._fetched = 0, self.head

    def read(self, size: int = -1) -> bytes:
        start = min(self._place, self.size)
        end = self.size if size < 0 else min(start + size, self.size)
        self._place = end
        return b"".join(self._pieces(start, end))

    def _pieces(self, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            if start < len(self.head):
                piece = self.head[start:end]
            else:
                if not self._start <= start < self._start + len(self._fetched):
                    self._fetch(start, min(max(end - start, READ_AHEAD), PART_SIZE))
                piece = self._fetched[start - self._start : end - self._start]
            yield piece
            start += len(piece)

    def _fetch(self, start: int, length: int) -> None:
        # The end of a file is read backwards: Arrow's footer is found through the last bytes.
        self._start = max(min(start, self.size - length), len(self.head))
        self._fetched = _range(self._key, self._start, min(self._start + length, self.size))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = max({os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence] + offset, 0)
        return self._place

    def tell(self) -> int:
        return self._place

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def opened(key: str) -> tuple[BinaryIO, int]:
    """Open a file for random access; return it and its size in bytes. `MissingFileError`, `StoreError`."""
    top = root()
    if top is None:
        reader = Reader(key)
        return cast("BinaryIO", reader), reader.size
    with _call(key):
        file = (top / key).open("rb")
        return file, os.fstat(file.fileno()).st_size


def sizes(keys: Sequence[str]) -> list[int]:
    """Return the sizes in bytes of files of one job, with one request. `MissingFileError`, `StoreError`."""
    top = root()
    if top is not None:
        with _call(keys[0]):
            return [(top / key).stat().st_size for key in keys]
    found = {entry["path"]: entry["size"] for entry in entries(keys[0].rpartition("/")[0])}
    for key in keys:
        if key not in found:
            raise MissingFileError(key)
    return [found[key] for key in keys]


@contextmanager
def local(key: str) -> Iterator[Path]:
    """Yield the path of a local file to read: the file itself on a local store, else a copy. `MissingFileError`."""
    top = root()
    if top is not None:
        if not (top / key).exists():
            raise MissingFileError(key)
        yield top / key
        return
    with scratch.folder() as folder:
        path = folder / "file"
        with path.open("wb") as copy:  # errors here are the scratch folder's, not the store's
            copy.writelines(stream(key))
        yield path


def remove(key: str) -> None:
    """Delete one file; it need not exist. `StoreError`."""
    with suppress(MissingFileError), _call(key):
        obstore.delete(store(), key)


def root() -> Path | None:
    """Return the folder that contains all files; None on an object store."""
    backend = store()
    return Path(backend.prefix) if isinstance(backend, LocalStore) and backend.prefix is not None else None


def local_folder(job: str) -> Path | None:
    """Return a job's folder, which need not exist; None on an object store.

    Callers may remove the folder, so: `ValueError` for an invalid job id, `NotADirectoryError` for a symbolic link.
    """
    if str(UUID(job)) != job:
        raise ValueError(job)
    top = root()
    folder = None if top is None else top / folder_of(job)
    if folder is not None and folder.is_symlink():
        raise NotADirectoryError(folder)
    return folder


def remove_job(job: str) -> None:
    """Delete every file of a job, including partial files, which the local store itself does not list."""
    folder = local_folder(job)
    if folder is not None:
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)  # follows no links
        return
    delete([entry["path"] for entry in entries(folder_of(job))])


def remove_older(job: str, token: int, kept: Collection[str] = ()) -> None:
    """Delete files of checks, reviews and exports of a job with older lease tokens, except those under the keys `kept`.

    All other files stay, and those of newer leases: a worker that has lost its lease may call this while another one
    goes on, or after the job has ended. `StoreError`.
    """

    def is_older(key: str) -> bool:
        part = key.removeprefix(f"{folder_of(job)}/")
        if not part.startswith(("check-", "export-")) and not part.endswith(".xlsx"):
            return False  # numbers in other names need not be tokens: parts of a report
        tokens = _TOKENS.findall(part)
        return bool(tokens) and max(map(int, tokens)) < token and key not in kept

    folder, top = local_folder(job), root()
    if folder is None or top is None:
        delete([entry["path"] for entry in entries(folder_of(job)) if is_older(entry["path"])])
        return
    for path in folder.rglob("*"):
        if path.is_file() and is_older(path.relative_to(top).as_posix()):
            path.unlink(missing_ok=True)


def remove_all_but(job: str, kept: str) -> None:
    """Delete every file of a job except the one under the key `kept`. `StoreError`."""
    folder = local_folder(job)
    if folder is None:
        delete([entry["path"] for entry in entries(folder_of(job)) if entry["path"] != kept])
        return
    for path in folder.iterdir() if folder.is_dir() else ():
        if f"{folder_of(job)}/{path.name}" != kept:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def copy(source: str, target: str) -> None:
    """Copy a file inside the store, without sending it through this process. `MissingFileError`, `StoreError`."""
    with _call(source):
        obstore.copy(store(), source, target)
    top = root()
    if top is not None:
        _keep(target)
        keep_name(target)


def entries(prefix: str) -> list[ObjectMeta]:
    """List everything below a prefix of an object store: `path`, `size`, `last_modified`. `StoreError`."""
    return [entry for page in pages(prefix) for entry in page]


def pages(prefix: str, after: str | None = None) -> Iterator[Sequence[ObjectMeta]]:
    """Yield pages of what is below a prefix of an object store, in key order, one request each. `StoreError`."""
    listing = obstore.list(store(), prefix, offset=after, chunk_size=PAGE)
    while True:
        with _call(prefix, LATER_WAIT):
            page = next(listing, None)
        if page is None:
            return
        yield page


def delete(keys: list[str]) -> None:
    """Delete objects, up to 1,000 per request; a missing object is no error. `StoreError`."""
    for start in range(0, len(keys), PAGE):
        with _call(keys[start]):
            obstore.delete(store(), keys[start : start + PAGE])


def check() -> None:
    """Raise `StoreError` if the store is unreachable (readiness). On an object store within about `PROBE_SECONDS`."""
    try:
        obstore.list_with_delimiter(_probing_store(), PROBE)
    except (BaseError, OSError) as error:
        raise object_store.as_store_error(PROBE, error) from error


def try_out(settings: Settings) -> None:
    """Store, list, read and delete a test file, as the service will. `StoreError`."""
    key = f"{PROBE}/{uuid4()}"
    try:
        new_store = object_store.connect(settings)
        obstore.put(new_store, key, b"1")
        obstore.list_with_delimiter(new_store, PROBE)
        obstore.get(new_store, key).bytes()
        obstore.delete(new_store, [key])
    except (BaseError, OSError) as error:
        raise object_store.as_store_error(PROBE, error) from error
