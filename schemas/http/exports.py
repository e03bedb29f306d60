"""The request body of an export (R34), version 1. A published contract."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from schemas.exports import ExportFormat
from schemas.http.resources import CallbackUrl, NumbersFilter


class ExportBody(BaseModel):
    """The numbers to export, and the format of their file."""

    model_config = ConfigDict(extra="forbid")

    format: ExportFormat = Field(
        description="csv and xlsx can be uploaded again; jsonl has the objects of the list. xlsx: at most 1,048,575 "
        "numbers, the rows of a worksheet."
    )
    filter: NumbersFilter = Field(
        default_factory=NumbersFilter,
        description="Filters as in the query of GET /v1/numbers; {} or none matches every number.",
    )
    callback_url: CallbackUrl | None = None
