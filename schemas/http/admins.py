"""Bodies of forms about admin accounts (R1)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from schemas.http.users import Email


class NewAdmin(BaseModel):
    """An admin account to create, for the caller's own tenant unless `tenant_id` names a tenant below it."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    tenant_id: str | None = None
