"""Exports of numbers (R34): the formats of their files, and what a job of this kind is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from schemas.workbooks import MEDIA_TYPE


class ExportFormat(StrEnum):
    """The format of an export's file, which is also the ending of its name."""

    CSV = "csv"
    XLSX = "xlsx"
    JSONL = "jsonl"


CONTENT_TYPES: Mapping[ExportFormat, str] = {
    ExportFormat.CSV: "text/csv; charset=utf-8",
    ExportFormat.XLSX: MEDIA_TYPE,
    ExportFormat.JSONL: "application/jsonl; charset=utf-8",
}
FORMAT_NAMES: Mapping[ExportFormat, str] = {
    ExportFormat.CSV: "CSV",
    ExportFormat.XLSX: "Excel",
    ExportFormat.JSONL: "JSON lines",
}
MOST_SHEET_ROWS = 1_048_575  # numbers in a worksheet (ECMA-376), below its header


@dataclass(frozen=True)
class ExportOptions:
    """The format, and the criteria of `schemas.http.resources.NumbersFilter` that are set."""

    format: ExportFormat
    filter: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> ExportOptions:
        return cls(ExportFormat(raw["format"]), raw["filter"])

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
