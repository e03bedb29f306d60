"""Folders for files that nobody needs once a piece of work is done; those that killed processes left are removed.

Whoever uses such a folder holds a lock on it, which ends with the process however that ends. A process id would be no
evidence: containers that share a folder count their processes separately. Touches nothing that is not ours.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "numberyard-scratch-"
# Between its making and its locking a folder looks abandoned.
YOUNG_SECONDS = 60.0


@contextmanager
def folder(within: Path | None = None) -> Iterator[Path]:
    """A new folder in the temporary folder, or `within` another; it and all that is in it is gone after the block."""
    with suppress(OSError):
        remove_abandoned(within=within)  # here too: not every process shares its temporary folder with a worker
    made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=within))
    held = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with suppress(OSError):  # where a file system knows no locks, nobody can take this for abandoned either
            fcntl.flock(held, fcntl.LOCK_EX)
        yield made
    finally:
        # Removed while it is held: two who remove it would stumble over each other.
        shutil.rmtree(made, ignore_errors=True)
        os.close(held)


def remove_abandoned(older_than: float = YOUNG_SECONDS, within: Path | None = None) -> int:
    """Remove the folders that nobody holds and nothing was put into for so many seconds; answers how many."""
    # By this machine's clock: the folder is in no other's hands.
    before = time.time() - older_than
    with os.scandir(within or tempfile.gettempdir()) as entries:
        return sum(_removed(entry, before) for entry in entries if entry.name.startswith(PREFIX))


def _removed(entry: os.DirEntry[str], before: float) -> bool:
    try:
        held = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # a file, a link, somebody else's, or gone
        return False
    try:
        found = os.fstat(held)
        if found.st_uid != os.geteuid() or found.st_mtime > before:
            return False
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(entry.path)
    except OSError:  # in use, or another one is just removing it
        return False
    finally:
        os.close(held)
    return True
