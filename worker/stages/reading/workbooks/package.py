"""The parts of an Office Open XML package: its document type, its sheets, and the locations of their parts.

Part names are arbitrary and case-insensitive; relationships define the role of a part (ECMA-376 part 2, 6.2.2 and 6.5).
Imported by the child process (`child.py`, started by path), so it imports nothing of the project except this package.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from worker.stages.reading.workbooks.child_protocol import State, Tab

CONTENT_TYPES = "[content_types].xml"
WORKBOOK = re.compile(r"(^|/)workbook\d*\.(xml|bin)$")
HEAD = 1 << 12
MACROS = "xl/vbaproject.bin"
# Substrings of content types; the first match counts.
DOCUMENTS = (
    ("wordprocessingml", "a Word document"),
    ("ms-word", "a Word document"),
    ("presentationml", "a PowerPoint presentation"),
    ("ms-powerpoint", "a PowerPoint presentation"),
    ("visio", "a Visio drawing"),
)
HIDDEN = frozenset({"hidden", "veryHidden"})  # every other state is visible, known or not


@dataclass(frozen=True)
class Relationship:
    """A reference from one part to another.

    `kind` is the last segment of the relationship type, `part` the archive entry of the target.
    """

    kind: str
    part: str


@dataclass
class Package:
    """A ZIP archive, read as a package."""

    archive: zipfile.ZipFile
    _entries: dict[str, str] = field(default_factory=dict)  # lower-case name -> name in the archive
    _names: frozenset[str] = frozenset()
    _types: dict[str, str] = field(default_factory=dict)
    _related: dict[str, dict[str, Relationship]] = field(default_factory=dict)
    main: str = ""  # the workbook part, "" if there is none

    def __post_init__(self) -> None:
        """Find the main part."""
        self._names = frozenset(self.archive.namelist())
        for name in self.archive.namelist():
            self._entries.setdefault(_plain(name), name)
        self._types = dict(self._content_types())
        roots = (related.part for related in self.relationships("").values() if related.kind == "officeDocument")
        workbook_parts = (name for name in self._entries.values() if WORKBOOK.search(_plain(name)))
        self.main = next(roots, "") or next(workbook_parts, "")

    @property
    def is_package(self) -> bool:
        """Return whether the archive declares itself a package."""
        return CONTENT_TYPES in self._entries

    @property
    def document(self) -> str | None:
        """The document type if it is not a workbook, None for a workbook."""
        kind = self._type_of(self.main)
        if "spreadsheetml" in kind or "ms-excel" in kind or WORKBOOK.search(_plain(self.main)):
            return None
        other = next((description for sign, description in DOCUMENTS if sign in kind), None)
        by_name = {"word/document.xml": "a Word document", "ppt/presentation.xml": "a PowerPoint presentation"}
        return other or by_name.get(_plain(self.main), "an Office document")

    @property
    def format(self) -> str:
        """The workbook's format, as the usual file extension."""
        kind = self._type_of(self.main)
        if "binary" in kind or _plain(self.main).endswith(".bin"):
            return "xlsb"
        return "xlsm" if "macroenabled" in kind or MACROS in self._entries else "xlsx"

    def entry(self, part: str) -> str:
        """Return the archive's name of a part in any spelling; "" if there is none."""
        exact = part.lstrip("/")
        return exact if exact in self._names else self._entries.get(_plain(part), "")

    def xml(self, part: str) -> ET.Element:
        """Return a small part, parsed."""
        return ET.fromstring(self.archive.read(part))  # noqa: S314  guarded by the child's limits

    def relationships(self, part: str) -> dict[str, Relationship]:
        """Return the parts inside the package that a part refers to, by relationship id; "" is the package itself."""
        if part in self._related:
            return self._related[part]
        folder, name = posixpath.split(part.replace("\\", "/"))
        source = self.entry(posixpath.join(folder, "_rels", f"{name}.rels"))
        relationships_by_id = dict[str, Relationship]()
        for related in self.xml(source) if source else ():
            if related.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, unquote(related.get("Target", ""))))
                kind = related.get("Type", "").rpartition("/")[2]
                relationships_by_id[related.get("Id", "")] = Relationship(kind, self.entry(target))
        self._related[part] = relationships_by_id
        return relationships_by_id

    def part_of_kind(self, kind: str) -> str:
        """Return the part with this relationship to the workbook, "" if there is none."""
        parts = (related.part for related in self.relationships(self.main).values() if related.kind == kind)
        return next(parts, "")

    @property
    def shared_strings(self) -> list[str]:
        """The part with the shared strings, if there is one."""
        return [part for part in (self.part_of_kind("sharedStrings"),) if part]

    def has_document_type(self, part: str) -> bool:
        """Return whether the XML of a part begins with declarations of its own, which no spreadsheet program writes."""
        with self.archive.open(part) as content:
            return b"<!DOCTYPE" in content.read(HEAD)

    def tabs(self) -> list[Tab]:
        """Return the sheets of a workbook in XML, in order."""
        related = self.relationships(self.main)
        sheets = [each for each in self.xml(self.main).iter() if local(each.tag) == "sheet"]
        ids = [_id_of(sheet) for sheet in sheets]
        # Sheets without a valid relationship get the worksheet parts that no other sheet uses, in order.
        left = iter([each for key, each in related.items() if each.kind == "worksheet" and key not in ids])
        parts = [related.get(key) or next(left, None) for key in ids]
        return [
            tab_of(sheet.get("name", ""), sheet.get("state") not in HIDDEN, each)
            for sheet, each in zip(sheets, parts, strict=True)
        ]

    def is_1904(self) -> bool:
        """Return whether the workbook counts its days from 1904."""
        properties = (each for each in self.xml(self.main).iter() if local(each.tag) == "workbookPr")
        return any(each.get("date1904", "") in {"1", "true", "on"} for each in properties)

    def _content_types(self) -> Iterator[tuple[str, str]]:
        if not self.is_package:
            return
        for each in self.xml(self._entries[CONTENT_TYPES]):
            name = each.get("PartName") or f".{each.get('Extension', '')}"
            yield _plain(name), each.get("ContentType", "").lower()

    def _type_of(self, part: str) -> str:
        name = _plain(part)
        return self._types.get(name, self._types.get(posixpath.splitext(name)[1], ""))


def tab_of(name: str, is_visible: bool, related: Relationship | None) -> Tab:  # noqa: FBT001  an attribute of the sheet
    """Return a sheet as its workbook lists it; a sheet without cells cannot be chosen, visible or not."""
    if related is None or related.kind != "worksheet" or not related.part:
        return Tab(name, State.NO_CELLS)
    return Tab(name, State.VISIBLE if is_visible else State.HIDDEN, related.part)


def local(tag: str) -> str:
    """Return a name without its namespace, of which there are two sets (ECMA-376 transitional and strict)."""
    return tag.rpartition("}")[2]


def _plain(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()


def _id_of(sheet: ET.Element) -> str:
    return next((value for key, value in sheet.items() if local(key) == "id"), "")
