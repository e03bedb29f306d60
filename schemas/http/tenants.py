"""Request and response bodies for tenants, carriers and tokens, version 1. The names are a published contract.

Shapes only, as in `schemas.http.resources`; `schemas.permissions` has the rules.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from datetime import date as Date  # noqa: N812 - the field of the same name would hide it
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StrictBool

from schemas.http.constraints import LINE, NOT_NULL, Name
from schemas.http.resources import TenantRef
from schemas.name_matching import LONGEST
from schemas.permissions import TokenLimits
from schemas.roles import Role, Scope

# Every driver and spreadsheet can represent such a date, in any time zone.
FURTHEST = timedelta(days=100 * 365)

Service = Literal["voice", "sms"]
RoleName = Literal["viewer", "operator", "admin"]
ScopeName = Literal[
    "numbers:read",
    "numbers:write",
    "jobs:read",
    "uploads:write",
    "accounts:read",
    "accounts:write",
    "tokens:write",
]
LONGEST_REFERENCE = 64  # characters
MOST_NETWORKS = 50  # of a token
_V6 = 6


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


def _network(text: str) -> str:
    try:
        network = ip_network(text.strip())
    except ValueError as error:
        raise ValueError(f"not a network: {_network_fix(text)}") from error
    if network.version == _V6 and network.network_address.ipv4_mapped is not None:  # type: ignore[union-attr]
        raise ValueError("write IPv4 networks as such, like 198.51.100.0/24")
    return str(network)


def _network_fix(text: str) -> str:
    try:
        return f"write it as {ip_network(text.strip(), strict=False)}"
    except ValueError:
        return "write it like 198.51.100.0/24 or 2001:db8::/32"


Network = Annotated[str, Field(max_length=64), AfterValidator(_network)]


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
    role: RoleName = Field(description="The highest role it acts with; never above the present role of who created it.")
    scopes: list[ScopeName] = Field(description="The parts of the API that it may use.")
    networks: list[str] = Field(description="The networks that it works from; none: every address.")
    created_at: datetime
    created_by: str | None = Field(
        description="Name of the account or token that created it; null if that belongs to a tenant above you, or for "
        "tokens from the operator's commands and from before roles existed."
    )
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="Its last request, to the minute; null if there was none yet.")
    last_used_from: str | None = Field(description="The address of that request.")


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
    role: RoleName | None = Field(None, description="The role it acts with, at most yours. Without: yours.")
    scopes: Annotated[list[ScopeName], Field(min_length=1, max_length=len(Scope))] | None = Field(
        None, description="The parts of the API that it may use, among your own. Without: all of yours."
    )
    networks: Annotated[list[Network], Field(max_length=MOST_NETWORKS)] | None = Field(
        None,
        description="The networks that it works from, such as 198.51.100.0/24 or 2001:db8::/32; a single address is "
        "one too. Without: those of the token that creates it; if it has none, every address.",
    )
    expires_at: Annotated[AwareDatetime, AfterValidator(_ahead)] | None = Field(
        None, description="Not after your own token's. Without: when that expires, if it does."
    )

    def limits(self, maker: TokenLimits) -> TokenLimits:
        """Return the limits of the token; those that the body leaves out are its maker's."""
        return TokenLimits(
            maker.role if self.role is None else Role(self.role),
            maker.scopes if self.scopes is None else frozenset(map(Scope, self.scopes)),
            maker.networks if self.networks is None else tuple(dict.fromkeys(self.networks)),
            maker.expires_at if self.expires_at is None else self.expires_at,
        )


class PageQuery(_Input):
    """Page of a list."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = None


class TenantsQuery(PageQuery):
    """Filter and page of a list of tenants. `q` is any part of the name."""

    kind: Literal["master_reseller", "reseller", "enterprise"] | None = None
    q: str | None = Field(None, max_length=LONGEST)
