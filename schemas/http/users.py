"""Request and response bodies for users (R2, R20..R22), version 1. The names are a published contract.

Shapes only, as in `schemas.http.resources`; `schemas.permissions` has the rules.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, model_validator

from schemas.http.constraints import NOT_NULL, Name
from schemas.http.resources import TenantRef
from schemas.user_services import Service
from worker.phone.country import read_country

MOST_NUMBERS = 1000  # limit when a user is created or shown; beyond it use /v1/assignments and /v1/numbers
_E164 = re.compile(r"^\+[1-9][0-9]{1,14}$")
_EXTENSION = re.compile(r"^\+[1-9][0-9]{6,14}$")
_NO_EXTENSION = "New users cannot get an extension, only an exact phone number. Existing extensions are kept."
_NOT_HERE = "To change a user's numbers, use POST /v1/assignments and /v1/unassignments."


def email_of(text: str) -> str:
    """Return a normalised e-mail address, without a DNS query; `ValueError` with the reason if it is malformed."""
    try:
        return validate_email(text.strip(), check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error


def _exact(text: str) -> str:
    """Return an exact phone number; refuse anything that needs interpretation (R22)."""
    if not _E164.fullmatch(text):
        raise ValueError("must be the exact number: + and up to 15 digits, such as +12125550142")
    return text


def _legacy(text: str) -> str:
    """Return a `+CC<extension>`, such as +14312345678 (R22)."""
    if not _EXTENSION.fullmatch(text) or not any(read_country(text[1 : 1 + width]) for width in (1, 2, 3)):
        raise ValueError("must be + and a calling code followed by the extension, such as +14312345678")
    return text


Email = Annotated[str, Field(max_length=254, json_schema_extra={"format": "email"}), AfterValidator(email_of)]
Number = Annotated[
    str,
    Field(examples=["+12125550142"], json_schema_extra={"pattern": _E164.pattern}),
    AfterValidator(_exact),
]
Extension = Annotated[
    str,
    Field(examples=["+14312345678"], json_schema_extra={"pattern": _EXTENSION.pattern}),
    AfterValidator(_legacy),
]
Numbers = Annotated[list[Number], Field(max_length=MOST_NUMBERS)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class User(BaseModel):
    """A user of an enterprise. Each list of numbers holds at most 1,000; /v1/numbers?user_id= returns all of them."""

    id: str
    name: str
    email: str
    kind: Literal["pbx", "trunk"]
    tenant: TenantRef
    sms_enabled: bool
    extension: str | None
    phone_number: str | None
    default_did: str | None
    forwarded_dids: list[str]
    sms_dids: list[str]
    created_at: datetime
    job_id: str | None = Field(None, description="The job that assigns the user's first numbers.")


class UserList(BaseModel):
    """A page of users, oldest first."""

    data: list[User]
    next_cursor: str | None


class NewUser(_Input):
    """A user to create, in the caller's own enterprise unless `tenant_id` names one below it."""

    name: Name
    email: Email
    kind: Literal["pbx", "trunk"]
    tenant_id: str | None = None
    phone_number: Number | None = None
    default_did: Number | None = None
    forwarded_dids: Numbers = []
    sms_enabled: StrictBool = False
    sms_dids: Numbers = []

    @model_validator(mode="before")
    @classmethod
    def _no_extension(cls, raw: Any) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(raw, dict) and "extension" in raw:
            raise ValueError(_NO_EXTENSION)
        return raw

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.phone_number and self.kind != "pbx":
            raise ValueError("phone_number is for PBX users; a trunk user has a default_did")
        if (self.default_did or self.forwarded_dids) and self.kind != "trunk":
            raise ValueError("default_did and forwarded_dids are for trunk users; a PBX user has a phone_number")
        if self.sms_dids and not self.sms_enabled:
            raise ValueError("sms_dids need sms_enabled")
        voice = [number for number in (self.phone_number, self.default_did, *self.forwarded_dids) if number]
        if len(set(voice)) < len(voice) or len(set(self.sms_dids)) < len(self.sms_dids):
            raise ValueError("the same number is listed twice")
        return self

    def services(self) -> dict[str, Service]:
        """Return the services of each number to assign: "+1.." -> services, in the order of the body."""
        services_by_number: dict[str, Service] = {}
        for numbers, service in (
            ([self.phone_number, self.default_did], Service.VOICE),
            (self.forwarded_dids, Service.FORWARDED),
            (self.sms_dids, Service.SMS),
        ):
            for number in numbers:
                if number is not None:
                    services_by_number[number] = services_by_number.get(number, Service(0)) | service
        return services_by_number


class UserChange(_Input):
    """The fields to change; omitted fields are not changed. Only users who have an extension can edit it (R22)."""

    name: Annotated[Name | None, NOT_NULL] = None
    email: Annotated[Email | None, NOT_NULL] = None
    sms_enabled: Annotated[StrictBool | None, NOT_NULL] = None
    extension: Extension | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_numbers(cls, raw: Any) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(raw, dict) and raw.keys() & {"phone_number", "default_did", "forwarded_dids", "sms_dids"}:
            raise ValueError(_NOT_HERE)
        return raw


class ServedNumbers(_Input):
    """All numbers that a user of the form's kind is to have; numbers that are left out are unassigned."""

    phone_number: Number | None = None
    default_did: Number | None = None
    forwarded_dids: Numbers = []
    sms_dids: Numbers = []


class UsersQuery(_Input):
    """Filter and page of a list of users. `q` is the beginning of the name or of the e-mail address."""

    tenant_id: str | None = None
    kind: Literal["pbx", "trunk"] | None = None
    q: str | None = Field(None, max_length=200)
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = None
