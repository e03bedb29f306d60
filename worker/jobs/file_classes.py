"""Classes of a job's files that have the same retention time, determined by file name. Accesses no file."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum

_STAGED = re.compile(r"#\d+$")
_CHUNK = re.compile(r"(batches/)?\d+(-\d+)?\.arrow")


class FileClass(StrEnum):
    """A class of a job's files that are kept for the same time."""

    CHUNKS = "chunks"  # intermediate files, useless once the job has ended
    UPLOAD = "upload"  # the uploaded file or the listed rows
    REPORT = "report"  # results of the rows and data to undo them: all other files


def file_class_of(name: str, checks: Collection[int | None], *, failed: bool) -> FileClass:
    """Return the class of a file, completely written or not, by its name below the job's folder.

    `checks`: lease tokens of the committed read and check, whose files are the valid ones. The chunks' results of a
    `failed` job have not been merged, so an undo needs the results of each chunk.
    """
    folder, _, file = _STAGED.sub("", name).partition("/")
    if folder in {"upload", "listed.arrow"}:
        return FileClass.UPLOAD
    if folder == "results":
        return FileClass.REPORT if failed else FileClass.CHUNKS
    counts = folder in {f"check-{check}" for check in checks}
    if folder.startswith("check-") and (not counts or _CHUNK.fullmatch(file)):
        return FileClass.CHUNKS
    return FileClass.REPORT


def is_staged(name: str) -> bool:
    """Return whether the name is that of a file being written, as the local store names them: `upload#1`."""
    return _STAGED.search(name) is not None
