"""Bodies of forms about admin accounts (R1)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from schemas.http.tenants import RoleName
from schemas.http.users import Email


class NewAdmin(BaseModel):
    """An admin account to create, for the caller's own tenant unless `tenant_id` names a tenant below it."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    tenant_id: str | None = None
    role: RoleName = "admin"


class AdminChange(BaseModel):
    """The new role of an admin account (R35)."""

    model_config = ConfigDict(extra="forbid")

    role: RoleName


class AdminRemoval(BaseModel):
    """How an admin account is removed. `hand_over_to`: the account that gets its tokens; without, they are revoked."""

    model_config = ConfigDict(extra="forbid")

    hand_over_to: str | None = None
