"""Scratch folders: temporary folders for the length of a block; those that killed processes left are removed, too.

A process locks the scratch folder that it uses; the lock ends with the process, however that ends. A process id would
be no proof: containers that share a folder number their processes separately. Touches only folders of this user.
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
# Between its creation and its lock a folder appears abandoned.
YOUNG_SECONDS = 60.0


@contextmanager
def folder(within: Path | None = None) -> Iterator[Path]:
    """Create a folder in the temporary folder, or `within` another; remove it and its contents after the block."""
    with suppress(OSError):
        remove_abandoned(within=within)  # here, too: not every process shares its temporary folder with a worker
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=within))
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with suppress(OSError):  # on a file system without locks, `remove_abandoned` skips the folder, too
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield path
    finally:
        # Removed while it is locked: two concurrent removals would fail over each other.
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def remove_abandoned(older_than: float = YOUNG_SECONDS, within: Path | None = None) -> int:
    """Remove scratch folders that are unlocked and have not changed for `older_than` seconds; return how many."""
    # By this machine's clock: the folder is local.
    before = time.time() - older_than
    with os.scandir(within or tempfile.gettempdir()) as entries:
        return sum(_removed(entry, before) for entry in entries if entry.name.startswith(PREFIX))


def _removed(entry: os.DirEntry[str], before: float) -> bool:
    try:
        descriptor = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # a file, a link, another user's folder, or removed meanwhile
        return False
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or status.st_mtime > before:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(entry.path)
    except OSError:  # in use, or another process is removing it
        return False
    finally:
        os.close(descriptor)
    return True
