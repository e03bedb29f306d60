"""The file that a command uploads: from disk, or from standard input through a temporary file."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from webhook.cli.problems import cannot_write
from webhook.cli.terminal import safe

STDIN = Path("-")
_BLOCK = 1 << 20
_BEGINNINGS = {b"\x1f\x8b": ".csv.gz", b"\xd0\xcf\x11\xe0": ".xls"}
_ZIP = b"PK\x03\x04"


class Spreadsheet(click.Path):
    """A regular file, or `-` for standard input. Another pipe has no length, which the service must know in advance."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, allow_dash=True, path_type=Path)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(super().convert(str(value), param, ctx)))
        if str(value) == str(STDIN):
            if sys.stdin.isatty():
                self.fail("standard input is a terminal: redirect a file or a pipe to it.", param, ctx)
        elif not path.is_file():
            self.fail(f"{safe(path)} is not a regular file.", param, ctx)
        elif path == STDIN:
            return path.absolute()  # ./- is the file of that name, and a path does not keep the ./
        return path


@contextmanager
def opened(path: Path) -> Iterator[tuple[str, BinaryIO]]:
    """Open the file for an upload. Yields a name for it and the file.

    Standard input is copied to a temporary file without a name, so that its length is known and memory stays bounded.
    Raises `click.UsageError` if it is empty, `Failed` if the temporary folder is full.
    """
    if path != STDIN:
        with path.open("rb") as file:
            yield path.name, file
        return
    folder = tempfile.gettempdir()
    with ExitStack() as stack:
        try:
            spool = stack.enter_context(tempfile.TemporaryFile(dir=folder))
            shutil.copyfileobj(sys.stdin.buffer, spool, _BLOCK)
            spool.flush()
        except OSError as error:
            raise cannot_write(error, folder) from error
        _rewind(spool)
        yield f"stdin{_ending(spool)}", spool


def _rewind(spool: BinaryIO) -> None:
    if not spool.tell():
        raise click.UsageError("Standard input is empty: there is nothing to upload.")
    spool.seek(0)


def _ending(file: BinaryIO) -> str:
    """Return the extension for the file's content. Leaves the file at its beginning."""
    beginning = file.read(4)
    ending = next((ending for magic, ending in _BEGINNINGS.items() if beginning.startswith(magic)), ".csv")
    if beginning == _ZIP:
        ending = _ending_of_archive(file)
    file.seek(0)
    return ending


def _ending_of_archive(file: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return ".zip"
    if "content.xml" in names:
        return ".ods"
    if any(name.startswith("xl/") for name in names):
        return ".xlsb" if "xl/workbook.bin" in names else ".xlsx"
    return ".zip"
