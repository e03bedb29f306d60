"""The folders of jobs in the storage, for the cleaner: lists them, determines their age, and empties them.

On a local storage this bypasses the store client, which lists no partial files and fails on unusual names. What has
expired is decided in `worker.jobs.retention`. Accesses only folders whose name is a job's id.
"""

from __future__ import annotations

import heapq
import os
import uuid
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import chain, islice, takewhile
from pathlib import Path

from worker.jobs.retention import FileClass, file_class_of, is_staged
from worker.storage import files

JOBS = "jobs"
FILES_OF_A_JOB = 10


def some(most: int) -> list[str]:
    """Return up to `most` of the jobs that have a folder, from a random start; all of them if there are no more.

    So rounds need no stored position, and every folder has its turn. On an object store at most
    `most * FILES_OF_A_JOB` files are listed.
    """
    start, top = str(uuid.uuid4()), files.root()
    if top is not None:
        # Takes memory for `most` names only, however many there are.
        return heapq.nsmallest(most, _in_folder(top / JOBS), key=lambda job: (job < start, job))
    around = chain(_listed(start), takewhile(lambda job: job < start, _listed("")))
    return list(dict.fromkeys(filter(_is_id, islice(around, most * FILES_OF_A_JOB))))


def _in_folder(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries if _is_id(entry.name) and entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return


def _listed(start: str) -> Iterator[str]:
    """Yield the job of every file in an object store, in the order of job ids, from `start` on."""
    offset = f"{JOBS}/{start}" if start else None
    for page in files.pages(JOBS, offset):
        yield from (entry["path"].split("/")[1] for entry in page)


def _is_id(name: str) -> bool:
    with suppress(ValueError):
        return str(uuid.UUID(name)) == name
    return False


def newest(job: str) -> datetime | None:
    """Return when a file of the job was last written, including partial files; of an empty folder, when it changed.

    None if there is no folder or file.
    """
    folder = files.local_folder(job)
    if folder is None:
        return max((entry["last_modified"] for entry in files.entries(files.folder_of(job))), default=None)
    times = [changed for path in _files(folder) if (changed := _changed(path)) is not None]
    return max(times) if times else _changed(folder)


def remove(job: str, parts: Collection[FileClass], checks: Collection[int | None], *, failed: bool) -> None:
    """Delete a job's files of these classes; `checks` and `failed` as in `file_class_of`."""
    folder = files.local_folder(job)
    below = len(files.folder_of(job)) + 1
    if folder is None:
        paths = [entry["path"] for entry in files.entries(files.folder_of(job))]
        files.delete([key for key in paths if file_class_of(key[below:], checks, failed=failed) in parts])
        return
    for path in _files(folder):
        if file_class_of(path.relative_to(folder).as_posix(), checks, failed=failed) in parts:
            path.unlink(missing_ok=True)
    for inner in _folders(folder):
        with suppress(OSError):  # not empty
            inner.rmdir()


def remove_left(job: str, before: datetime) -> None:
    """Delete what killed processes left in the folder of a job that is kept: partial files, empty folders.

    Does nothing on an object store, which manages unfinished uploads itself and does not list them.
    """
    folder = files.local_folder(job)
    if folder is None:
        return
    # Determined first: removing a file updates its folder's modification time.
    old = [path for path in _folders(folder) if _is_before(path, before)]
    for path in _files(folder):
        if is_staged(path.name) and _is_before(path, before):
            path.unlink(missing_ok=True)
    for path in old:
        with suppress(OSError):  # not empty
            path.rmdir()


def _files(folder: Path) -> Iterator[Path]:
    for inner, _, names in os.walk(folder):
        yield from (Path(inner, name) for name in names)


def _folders(folder: Path) -> list[Path]:
    """Return the folder and those below it, the deepest first."""
    return [Path(inner) for inner, _, _ in os.walk(folder, topdown=False)]


def _changed(path: Path) -> datetime | None:
    with suppress(FileNotFoundError):
        return datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    return None


def _is_before(path: Path, moment: datetime) -> bool:
    changed = _changed(path)
    return changed is not None and changed < moment
