"""The folders of jobs in the storage as those see them who remove files: looked through, measured, emptied.

On a local storage this goes past the store, which shows no half-written files and stumbles over odd names. Decides
nothing: whose time is over is told in `worker.jobs.retention`. Touches only folders that a job's id names.
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

from worker.jobs.file_classes import Part, is_staged, part_of
from worker.storage import files

JOBS = "jobs"
FILES_OF_A_JOB = 10


def some(most: int) -> list[str]:
    """Up to `most` of the jobs that have a folder, wherever a throw of dice begins; all of them if there are no more.

    So nobody needs to remember where the last round ended, and every folder has its turn. On an object store `most`
    times `FILES_OF_A_JOB` files are looked at.
    """
    start, top = str(uuid.uuid4()), files.root()
    if top is not None:
        # Memory for `most` names, however many there are.
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
    """The job of every file in an object store, in the order of their ids, from `start` on."""
    offset = f"{JOBS}/{start}" if start else None
    for page in files.pages(JOBS, offset):
        yield from (entry["path"].split("/")[1] for entry in page)


def _is_id(name: str) -> bool:
    with suppress(ValueError):
        return str(uuid.UUID(name)) == name
    return False


def newest(job: str) -> datetime | None:
    """When a file of the job was last written, half-written ones included; of an empty folder, when it changed.

    None if there is nothing.
    """
    folder = files.local_folder(job)
    if folder is None:
        return max((entry["last_modified"] for entry in files.entries(files.folder_of(job))), default=None)
    times = [changed for path in _files(folder) if (changed := _changed(path)) is not None]
    return max(times) if times else _changed(folder)


def remove(job: str, parts: Collection[Part], checks: Collection[int | None], *, failed: bool) -> None:
    """Delete a job's files of these parts; `checks` and `failed` as in `part_of`."""
    folder = files.local_folder(job)
    below = len(files.folder_of(job)) + 1
    if folder is None:
        found = [entry["path"] for entry in files.entries(files.folder_of(job))]
        files.delete([key for key in found if part_of(key[below:], checks, failed=failed) in parts])
        return
    for path in _files(folder):
        if part_of(path.relative_to(folder).as_posix(), checks, failed=failed) in parts:
            path.unlink(missing_ok=True)
    for inner in _folders(folder):
        with suppress(OSError):  # not empty
            inner.rmdir()


def remove_left(job: str, before: datetime) -> None:
    """Delete what killed processes left in the folder of a job that goes on: half-written files, empty folders.

    An object store has no such thing: unfinished uploads are its own affair, and not to be seen.
    """
    folder = files.local_folder(job)
    if folder is None:
        return
    # Looked at first: removing a file makes its folder young.
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
    """The folder and those below it, the lowest first."""
    return [Path(inner) for inner, _, _ in os.walk(folder, topdown=False)]


def _changed(path: Path) -> datetime | None:
    with suppress(FileNotFoundError):
        return datetime.fromtimestamp(path.lstat().st_mtime, UTC)
    return None


def _is_before(path: Path, moment: datetime) -> bool:
    changed = _changed(path)
    return changed is not None and changed < moment
