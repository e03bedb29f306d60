"""Files that a command writes: complete under their name, or not there at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from webhook.cli.problems import cannot_write


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file next to `path`, and rename it after the block; remove it if the block fails.

    Keeps the permissions of a file that it replaces. Follows symbolic links, and writes to devices and named pipes
    directly. Raises `Failed` if the file cannot be written: a full disk, a missing folder, a file that others own.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as stream:
                yield stream
            return
        target = path.resolve()
        part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                if target.exists():
                    shutil.copymode(target, part)
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise cannot_write(error, str(path)) from error
