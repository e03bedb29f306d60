"""Request and response bodies for tenants, carriers and tokens, version 1. The names are a published contract.

Shapes only, as in `schemas.http.resources`; `schemas.permissions` has the rules.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from datetime import date as Date  # noqa: N812 - the field of the same name would hide it
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StrictBool

from schemas.http.constraints import LINE, NOT_NULL, Name
from schemas.http.resources import TenantRef
from schemas.name_matching import LONGEST

# Every driver and spreadsheet can represent such a date, in any time zone.
FURTHEST = timedelta(days=100 * 365)

Service = Literal["voice", "sms"]
LONGEST_REFERENCE = 64  # characters


def _reference(text: str) -> str | None:
    """Return a billing reference; None for blank text. `ValueError` unless it is up to 64 printable characters."""
    reference = " ".join(part for part in text.split(" ") if part)
    if len(text) > LONGEST_REFERENCE or not reference.isprintable():
        raise ValueError(f"a billing reference has at most {LONGEST_REFERENCE} printable characters")
    return reference or None


BillingReference = Annotated[
    Annotated[
        str,
        Field(json_schema_extra={"maxLength": LONGEST_REFERENCE, "pattern": LINE}),
        AfterValidator(_reference),
    ]
    | None,
    Field(
        description=f"What your billing calls this reseller or enterprise: up to {LONGEST_REFERENCE} printable "
        "characters."
    ),
]


def _ahead(time: datetime) -> datetime:
    now = datetime.now(UTC)
    if not now < time <= now + FURTHEST:
        raise ValueError("must be in the future, within a hundred years")
    return time


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Tenant(TenantRef):
    """A tenant. `default_*`: its own setting (null: inherits the parent's); `effective_default_*`: in effect (R7)."""

    parent_id: str | None
    allow_external_numbers: bool
    billing_reference: str | None
    default_voice_carrier: str | None
    default_sms_carrier_profile: str | None
    effective_default_voice_carrier: str | None
    effective_default_sms_carrier_profile: str | None


class TenantList(BaseModel):
    """A page of tenants, oldest first; the caller's own tenant is the first of all."""

    data: list[Tenant]
    next_cursor: str | None


class NewTenant(_Input):
    """A tenant to create, below the caller's own unless `parent_id` names another parent."""

    name: Name
    kind: Literal["reseller", "enterprise"]
    parent_id: str | None = None
    allow_external_numbers: StrictBool = False
    billing_reference: BillingReference = None


class TenantChange(_Input):
    """The fields to change; omitted fields are not changed. A default of null inherits the parent's (R7).

    A billing reference of null, or a blank one, is removed.
    """

    name: Annotated[Name | None, NOT_NULL] = None
    allow_external_numbers: Annotated[StrictBool | None, NOT_NULL] = None
    billing_reference: BillingReference = None
    default_voice_carrier: str | None = None
    default_sms_carrier_profile: str | None = None


class HoldingsQuery(_Input):
    """The tenant that a report is about, with all below it; your own without one. `date`: at the end of that day."""

    tenant_id: str | None = Field(None, max_length=LONGEST)
    date: Date | None = Field(None, description="A day (UTC) that is over: the numbers held at its end. Without: now.")


class Carrier(BaseModel):
    """A voice carrier or an SMS carrier profile. `is_default`: the caller's numbers get it when no carrier is named."""

    id: str
    name: str
    service: Service
    tenant_id: str
    is_default: bool


class CarrierList(BaseModel):
    """A page of carriers, oldest first."""

    data: list[Carrier]
    next_cursor: str | None


class NewCarrier(_Input):
    """A carrier to create at the caller's own level (R7)."""

    name: Name
    service: Service


class CarrierChange(_Input):
    """A new name for a carrier."""

    name: Name


class Token(BaseModel):
    """A token without its secret, which cannot be retrieved."""

    id: str
    name: str
    tenant: TenantRef
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class IssuedToken(Token):
    """A new token: the only response that contains its secret."""

    token: str | None = Field(
        None, description="The secret; null in a response that is repeated for an `Idempotency-Key`."
    )


class TokenList(BaseModel):
    """A page of tokens, oldest first."""

    data: list[Token]
    next_cursor: str | None


class NewToken(_Input):
    """A token to create, for the caller's own tenant unless `tenant_id` names a tenant below it."""

    name: Name
    tenant_id: str | None = None
    expires_at: Annotated[AwareDatetime, AfterValidator(_ahead)] | None = None


class PageQuery(_Input):
    """Page of a list."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = None


class TenantsQuery(PageQuery):
    """Filter and page of a list of tenants. `q` is any part of the name."""

    kind: Literal["master_reseller", "reseller", "enterprise"] | None = None
    q: str | None = Field(None, max_length=LONGEST)
