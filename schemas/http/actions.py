"""Bodies of the requests that act on numbers, version 1: the selected numbers and the change. A published contract.

Shapes only, as in `schemas.http.resources`. The services resolve names and check permissions.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from schemas import name_matching
from schemas.capabilities import CAPABILITY_NAMES, CARRIER_FIELDS
from schemas.http.file_options import FileForm, NumberReading
from schemas.http.job_labels import JobLabels
from schemas.http.resources import CallbackUrl, ExpectedHolder, NumbersFilter, OnlyUnassigned
from schemas.user_services import Service, read_services
from worker.phone.country import read_country

MOST_NUMBERS = 1_000_000
LONGEST_NUMBER = 256  # characters; invalid numbers are reported per row, but a value longer than this is refused
LONGEST_ID = 200
LONGEST_COUNTRY = 60  # characters

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("enable", "enabled", "true", "on", "yes"), True),
    **dict.fromkeys(("disable", "disabled", "false", "off", "no"), False),
    **dict.fromkeys(("leave", ""), None),
}


def _three_valued(value: object) -> object:
    """Parse "leave", "enable", "disable" and their synonyms (R23); refuse other values."""
    if value is None or isinstance(value, bool):
        return value
    word = value.strip().casefold() if isinstance(value, str) else None
    if word not in _WORDS:
        raise _fault("must be true, false, null, enable, disable or leave")
    return _WORDS[word]


def _country(text: str) -> str:
    """Return the text of a country; refuse text that a Country Code cell would not accept (R14)."""
    stripped = text.strip()
    if read_country(stripped) is None:
        message = "“{value}” isn't a country; use a calling code such as 44, or a two-letter country such as GB"
        raise PydanticCustomError("country", message, {"value": stripped})
    return stripped


# The words that the document lists; others with the same meaning are accepted.
_CAPABILITY_WORDS = {"type": "string", "enum": ["enable", "disable", "leave"]}
_CAPABILITY = {"anyOf": [{"type": "boolean"}, _CAPABILITY_WORDS, {"type": "null"}]}
_SERVICES = ("voice", "forwarded", "sms", "voice+sms", "forwarded+sms")

Capability = Annotated[bool | None, BeforeValidator(_three_valued), WithJsonSchema(_CAPABILITY)]
Country = Annotated[str, Field(max_length=LONGEST_COUNTRY), AfterValidator(_country)]
Id = Annotated[str, Field(max_length=LONGEST_ID)]
CarrierName = Annotated[str, Field(max_length=name_matching.LONGEST)]
# Fails at the first invalid item: a million errors would make a response of a gigabyte.
Numbers = Annotated[
    list[Annotated[str, Field(max_length=LONGEST_NUMBER)]],
    Field(
        fail_fast=True,
        min_length=1,
        max_length=MOST_NUMBERS,
        description="Numbers with + or 00 and the calling code (+1 212 555 0142). Others are read in the country of "
        "`country_code`; without it, in the countries of your numbers, and refused if several countries match.",
    ),
]


class Options(NumberReading, JobLabels):
    """Options that every action accepts."""

    mode: Literal["apply", "review"] = "apply"
    on_error: Literal["skip", "abort"] = "skip"
    country_code: Country | None = Field(
        None,
        description="Country of numbers without + or 00 and without a country of their own, as in a Country Code cell: "
        "a calling code (44) or a two-letter country (GB). Has no effect with `filter`.",
    )
    callback_url: CallbackUrl | None = None


class UnassignOptions(Options):
    """The users to unassign numbers from, and the service; without either, numbers move up one level (R19)."""

    user_id: Id | None = None
    service: Annotated[str, Field(max_length=LONGEST_ID, json_schema_extra={"enum": [*_SERVICES]})] | None = None
    expected_holder_id: ExpectedHolder | None = None

    @property
    def services(self) -> Service | None:
        """The parsed `service`, or None if it is not set."""
        return None if self.service is None else read_services(self.service)

    @model_validator(mode="after")
    def _service_is_known(self) -> Self:
        if self.service is not None and self.services is None:
            raise _fault("service: must be voice, forwarded or sms, or voice+sms or forwarded+sms")
        return self


class AssignOptions(UnassignOptions):
    """The new holder: a tenant (R18), or a user for a service (R20; the default service is voice)."""

    tenant_id: Id | None = None
    only_unassigned: OnlyUnassigned = False

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if self.tenant_id is not None and (self.user_id is not None or self.service is not None):
            raise _fault("tenant_id: cannot be used with user_id or service")
        return self


class ChangeOptions(Options):
    """New capabilities and carriers (R23). Omitted fields are not changed."""

    voice: Capability = None
    sms: Capability = None
    fax: Capability = None
    voice_carrier: CarrierName | None = None
    sms_carrier_profile: CarrierName | None = None


class AssignForm(FileForm, AssignOptions):
    """Form fields sent with a file of numbers to assign, with the new holder."""


class UnassignForm(FileForm, UnassignOptions):
    """Form fields sent with a file of numbers to unassign."""


class ChangeForm(FileForm, ChangeOptions):
    """Form fields sent with a file of numbers to change."""


class DeleteForm(FileForm, Options):
    """Form fields sent with a file of numbers to delete."""


class Selection(Options):
    """The numbers to act on: a list, or all that match a filter, if their count equals `expected_count`."""

    numbers: Numbers | None = None
    filter: NumbersFilter | None = Field(
        None, description="Filters as in the query of GET /v1/numbers; {} matches every number."
    )
    expected_count: Annotated[StrictInt, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.numbers is None) == (self.filter is None):
            raise _fault("numbers, filter: send exactly one of them, or a file")
        if (self.filter is None) != (self.expected_count is None):
            raise _fault("expected_count: required with filter, and only allowed with it")
        return self


class Assignment(AssignOptions, Selection):
    """Numbers to assign to a tenant or a user."""

    @model_validator(mode="after")
    def _has_target(self) -> Self:
        if self.tenant_id is None and self.user_id is None:
            raise _fault("tenant_id, user_id: send one of them")
        return self


class Unassignment(UnassignOptions, Selection):
    """Numbers to unassign."""


class CapabilityChange(ChangeOptions, Selection):
    """Numbers whose capabilities or carriers to change."""

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        names = (*CAPABILITY_NAMES, *(carrier.name for carrier in CARRIER_FIELDS))
        if all(getattr(self, name) is None for name in names):
            raise _fault(f"{', '.join(names)}: send at least one of them")
        return self


class Deletion(Selection):
    """Numbers to delete."""


def _fault(message: str) -> PydanticCustomError:
    """Return a validation error; if it concerns several fields, `message` names them."""
    return PydanticCustomError("fields", message)
