"""The parts of a job's files that are kept for a time of their own, told by the files' names. Touches no file."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum

_STAGED = re.compile(r"#\d+$")
_CHUNK = re.compile(r"(batches/)?\d+(-\d+)?\.arrow")


class Part(StrEnum):
    """Files of a job that are kept for the same time."""

    CHUNKS = "chunks"  # what it worked with: of no use to anybody once it has ended
    UPLOAD = "upload"  # what was sent
    REPORT = "report"  # what became of the rows, and how to undo it: all the rest


def part_of(name: str, checks: Collection[int | None], *, failed: bool) -> Part:
    """Which part a file belongs to, written whole or not, by its name below the job's folder.

    `checks` are the leases of the reading and of the check whose files count. Of a `failed` job nobody has put the
    chunks' results together, so undoing what it wrote needs them one by one.
    """
    folder, _, file = _STAGED.sub("", name).partition("/")
    if folder in {"upload", "listed.arrow"}:
        return Part.UPLOAD
    if folder == "results":
        return Part.REPORT if failed else Part.CHUNKS
    counts = folder in {f"check-{check}" for check in checks}
    if folder.startswith("check-") and (not counts or _CHUNK.fullmatch(file)):
        return Part.CHUNKS
    return Part.REPORT


def is_staged(name: str) -> bool:
    """Whether it is a file that is being written, as the local store names them: `upload#1`."""
    return _STAGED.search(name) is not None
