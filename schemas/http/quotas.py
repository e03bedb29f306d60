"""Bodies of `/v1/quotas` (R37)."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from schemas.http.resources import TenantRef
from schemas.name_matching import LONGEST
from schemas.quotas import Quota


class QuotasQuery(BaseModel):
    """The tenant whose quotas to show, your own or one below it; your own without one."""

    model_config = ConfigDict(extra="forbid")

    tenant_id: str | None = Field(None, max_length=LONGEST, description="ID of the tenant; without it, your own.")


class QuotaState(BaseModel):
    """A quota, and what is used of it. `limit` and `remaining` are null if there is no limit."""

    name: Quota
    limit: int | None
    used: int | None = Field(description="Null if it cannot be counted at the moment.")
    remaining: int | None
    resets_at: datetime | None = Field(description="When it starts again from zero; null if it does not.")


class QuotaList(BaseModel):
    """The quotas of a tenant, which its own use counts for, and not that of the tenants below it."""

    tenant: TenantRef
    data: list[QuotaState]
