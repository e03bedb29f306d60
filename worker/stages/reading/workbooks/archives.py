"""ZIP archives: checks before anything is unpacked, and files that were uploaded packed.

Imported by the child process (`child.py`, started by path), so it imports nothing of the project except this package.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path

from worker.stages.reading.workbooks.child_protocol import LONGEST_NAME, MOST_NAMED, Answer, Order, Verdict

LONGEST_FILE_NAME = 255
MOST_ENTRIES = 10_000
RATIO_FROM_BYTES = 1 << 26  # no limit on the ratio below this size
BLOCK = 1 << 20
# Files that operating systems add to archives.
LITTER = re.compile(r"(^|/)(__MACOSX/|\.[^/]*$|Thumbs\.db$|desktop\.ini$)")
MANIFEST = "META-INF/manifest.xml"
OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
SPREADSHEETS = (f"{OPEN_DOCUMENT}spreadsheet", f"{OPEN_DOCUMENT}spreadsheet-template")
NUMBERS = re.compile(r"(^|/)(Index/Tables/.*\.iwa|Index\.zip|index\.apxl|index\.xml)$")
OTHER_DOCUMENTS = (
    ("word/document.xml", "a Word document"),
    ("ppt/presentation.xml", "a PowerPoint presentation"),
    ("mimetype", "a document or e-book"),
)
IWORK = re.compile(r"(^|/)Index/[^/]+\.iwa$")


def not_a_spreadsheet(description: str) -> str:
    """Return the sentence that names a document of another type."""
    return f"The file is {description}, not a spreadsheet or delimited text (.csv)."


def check(archive: zipfile.ZipFile, order: Order) -> None:
    """Refuse an archive that cannot be read or that unpacks to more than the limit; reads only its directory."""
    entries = archive.infolist()
    if any(entry.flag_bits & 1 for entry in entries):
        raise Verdict("ENCRYPTED_FILE", "The file is an archive protected by a password.")
    if len(entries) > MOST_ENTRIES:
        detail = (
            f"The file is an archive of {len(entries):,} files, not a spreadsheet; upload one spreadsheet at a time."
        )
        raise Verdict("UNSUPPORTED_TYPE", detail)
    if len({entry.filename for entry in entries}) < len(entries):
        # Two programs might read different ones of them.
        raise Verdict("UNREADABLE_FILE", "The archive contains two files with the same name.")
    inflated = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    most = min(order.inflated_bytes, max(RATIO_FROM_BYTES, packed * order.inflated_ratio))
    if inflated > most:
        detail = f"The file unpacks to {inflated:,} bytes, more than is allowed."
        raise Verdict("UNREADABLE_FILE", detail)


def is_open_document(archive: zipfile.ZipFile) -> bool:
    """Return whether it is an OpenDocument spreadsheet; refuse all other OpenDocument files."""
    names = archive.namelist()
    if "mimetype" not in names or archive.getinfo("mimetype").file_size > BLOCK:
        # The entry is optional; without it, the manifest shows the type (ODF 1.3, part 2, 4.2).
        return "content.xml" in names and MANIFEST in names and SPREADSHEETS[0].encode() in archive.read(MANIFEST)
    kind = archive.read("mimetype").decode("ascii", "replace").strip()
    if kind in SPREADSHEETS:
        return True
    if kind.startswith(OPEN_DOCUMENT):
        raise Verdict("UNSUPPORTED_TYPE", not_a_spreadsheet("an OpenDocument file"))
    return False


def refuse_other_documents(archive: zipfile.ZipFile) -> None:
    """Refuse documents that are archives but neither OpenDocument nor Office Open XML."""
    names = archive.namelist()
    if any(NUMBERS.search(name) for name in names) and any(IWORK.search(name) for name in names):
        detail = "The file is an Apple Numbers document; in Numbers, choose File > Export To > Excel and upload that."
        raise Verdict("UNSUPPORTED_TYPE", detail)
    if any(IWORK.search(name) for name in names):
        raise Verdict("UNSUPPORTED_TYPE", not_a_spreadsheet("an Apple iWork document"))
    description = next((description for name, description in OTHER_DOCUMENTS if name in names), None)
    if description is not None:
        raise Verdict("UNSUPPORTED_TYPE", not_a_spreadsheet(description))


def unpack(archive: zipfile.ZipFile, order: Order) -> Answer:
    """Unpack the only file in the archive to `order.target`, and return its name."""
    files = [entry for entry in archive.infolist() if not entry.is_dir() and not LITTER.search(entry.filename)]
    if not files:
        raise Verdict("EMPTY_FILE", "The archive is empty.")
    if len(files) > 1:
        names = ", ".join(entry.filename[-LONGEST_NAME:] for entry in files[:MOST_NAMED])
        more = f" and {len(files) - MOST_NAMED:,} more" if len(files) > MOST_NAMED else ""
        detail = f"The file is an archive of {len(files):,} files ({names}{more}); upload one at a time."
        raise Verdict("UNSUPPORTED_TYPE", detail)
    with archive.open(files[0]) as packed, Path(order.target).open("wb") as file:
        shutil.copyfileobj(packed, file, BLOCK)
    return {"unpacked": files[0].filename.rpartition("/")[2][:LONGEST_FILE_NAME]}
