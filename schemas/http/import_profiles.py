"""Request and response bodies of import profiles (R32), version 1. The names are a published contract."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from schemas.http.constraints import NOT_NULL, Name
from schemas.http.file_options import FileOptions
from schemas.http.mapping import MappingBody
from schemas.http.resources import TenantRef
from schemas.jobs import NO_PROFILE
from schemas.name_matching import fold

MOST_HEADERS = 16_384  # as many columns as a sheet can have
LONGEST_HEADER_CELL = 1_000  # characters


def _usable(name: str) -> str:
    if fold(name) == NO_PROFILE:
        raise ValueError(f"must not be “{NO_PROFILE}”, which means that no profile is used")
    return name


ProfileName = Annotated[Name, AfterValidator(_usable)]
Headers = Annotated[
    list[Annotated[str, StringConstraints(max_length=LONGEST_HEADER_CELL)]], Field(max_length=MOST_HEADERS)
]
_HEADERS = (
    "Column names of the file that the profile is for, in order and as written. Only a file with the same names, in "
    "any order and spelling, is read with the profile without being asked for. Empty: the file has no column names; "
    "the profile is never used without being asked for."
)


class ProfileOptions(FileOptions):
    """How to read the file. Options that are null are left to the upload."""

    number_format: Literal["auto", "national", "international"] | None = Field(
        None, description="Format of numbers without + or 00, as for an upload."
    )
    accept: Literal["valid", "possible"] | None = Field(
        None, description="valid: number in a known range; possible: right length only."
    )


class ImportProfile(BaseModel):
    """A column mapping with options, saved for a tenant and available to the tenants below it."""

    id: str
    name: str
    mapping: MappingBody
    options: ProfileOptions
    headers: list[str] = Field(description=_HEADERS)
    tenant: TenantRef = Field(description="The tenant that it belongs to: your own or one above it.")
    can_change: bool = Field(description="Whether you may change and delete it.")
    created_by: str | None = Field(
        description="Name of the token or account that created it; null if it belongs to a tenant above you."
    )
    last_used_at: datetime | None = Field(
        description="When a file was last read with it; null if never, or if it belongs to a tenant above you."
    )


class ImportProfileList(BaseModel):
    """A page of import profiles, oldest first."""

    data: list[ImportProfile]
    next_cursor: str | None


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewImportProfile(_Input):
    """An import profile to create for the caller's own tenant. No other profile of that tenant has this name."""

    name: ProfileName
    mapping: MappingBody = Field(default_factory=MappingBody)
    options: ProfileOptions = Field(default_factory=ProfileOptions)
    headers: Headers = Field([], description=_HEADERS)


class ImportProfileChange(_Input):
    """The fields to change; each replaces the former value as a whole. Omitted fields are not changed."""

    name: Annotated[ProfileName | None, NOT_NULL] = None
    mapping: Annotated[MappingBody | None, NOT_NULL] = None
    options: Annotated[ProfileOptions | None, NOT_NULL] = None
    headers: Annotated[Headers | None, NOT_NULL] = Field(None, description=_HEADERS)
