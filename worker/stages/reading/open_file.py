"""Open an uploaded file: detect its type, unpack it if it is packed, and pass it to the reader of its format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from schemas.codes import Code
from worker.stages.reading.gzip_file import gunzip
from worker.stages.reading.model import Limits, ReadOptions, Source, fault
from worker.stages.reading.sniff import Kind, kind_of
from worker.stages.reading.text_files.delimited import open_delimited
from worker.stages.reading.workbooks.workbook import Packed, open_workbook


def open_source(path: Path, limits: Limits, folder: Path, hints: ReadOptions) -> Source:
    """Return the file as its format reads it, unpacked once into `folder` if it is packed. Raises `FileFault`."""
    kind = kind_of(path, limits)
    if kind is Kind.TEXT:
        return open_delimited(path, limits, folder, hints)
    if kind is Kind.GZIP:
        target = folder / "gunzipped"
        gunzip(path, target, limits)
        return _open_unpacked(target, limits, folder, hints, "The file was compressed (gzip).")
    opened = open_workbook(path, limits, folder / "opened", hints)
    if isinstance(opened, Packed):
        return _open_unpacked(opened.path, limits, folder, hints, f"The file was compressed; “{opened.name}” was read.")
    return opened


def _open_unpacked(path: Path, limits: Limits, folder: Path, hints: ReadOptions, note: str) -> Source:
    kind = kind_of(path, replace(limits, bytes=limits.inflated_bytes))
    if kind is Kind.TEXT:
        return open_delimited(path, limits, folder, hints, (note,))
    opened = open_workbook(path, limits, folder / "opened-inner", hints, (note,)) if kind is not Kind.GZIP else None
    if opened is None or isinstance(opened, Packed):
        fault(Code.UNSUPPORTED_TYPE, "The archive contains another archive; unpack it before you upload it.")
    return opened
