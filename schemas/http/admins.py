"""Bodies of forms about the people who sign in (R1)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from schemas.http.users import Email


class NewAdmin(BaseModel):
    """Somebody who is to sign in, for the caller's own tenant unless `tenant_id` tells one below."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    tenant_id: str | None = None
