"""Bodies of the changes of the inventory (R34)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.http.resources import NumberUser, TenantRef

LONGEST_WAIT = 10  # seconds
MOST_CHANGES = 1_000  # on a page
# A position with its mark; and within it, a count.
CURSOR = r"^(0|[1-9][0-9]{0,17}-[0-9]{1,10}(\.[1-9][0-9]{0,8})?)$"


class _Body(BaseModel):
    model_config = ConfigDict(from_attributes=True, extra="forbid")


class ChangeType(StrEnum):
    """What happened to a number, as the reader sees it."""

    CREATED = "number.created"
    CHANGED = "number.changed"
    ASSIGNED = "number.assigned"
    UNASSIGNED = "number.unassigned"
    DELETED = "number.deleted"
    RESTORED = "number.restored"
    GONE = "number.gone"


class NumberChange(_Body):
    """A change of one number, with the number's state after it; after `number.deleted` and `number.gone` there is none.

    A tenant, carrier or user that was deleted since is null.
    """

    id: Annotated[
        str, Field(description="Cursor of the change: `after` continues behind it.", examples=["17-1618033988.240"])
    ]
    at: datetime
    type: Annotated[
        ChangeType,
        Field(
            description="`number.assigned`: it got a user, or went to a tenant below. `number.unassigned`: it lost a "
            "user, or went to a tenant above. `number.restored`: an undo created it again. `number.gone`: it has left "
            "your tenant and those below it."
        ),
    ]
    e164: Annotated[str, Field(examples=["+12125550142"])]
    job_id: Annotated[str | None, Field(description="The job that changed it, if you may see it.")] = None
    country: str | None = None
    voice: bool | None = None
    sms: bool | None = None
    fax: bool | None = None
    voice_carrier: str | None = None
    sms_carrier_profile: str | None = None
    status: Annotated[str | None, Field(json_schema_extra={"enum": ["unassigned", "assigned", None]})] = None
    tenant: TenantRef | None = None
    uploaded_by: TenantRef | None = None
    voice_user: NumberUser | None = None
    sms_user: NumberUser | None = None
    is_external: bool | None = None


class ChangeList(_Body):
    """Changes in the order in which they took effect.

    `next_cursor` is the `after` of the next request, also if there is nothing new.
    """

    data: list[NumberChange]
    next_cursor: str


class ChangesQuery(_Body):
    """Which changes to list."""

    after: Annotated[
        str | None,
        Field(
            pattern=CURSOR,
            max_length=39,
            description="Cursor: the `next_cursor` of an earlier answer, the `id` of a change, or the one that an "
            "export names. Without it, the oldest changes that are kept.",
        ),
    ] = None
    limit: Annotated[int, Field(ge=1, le=MOST_CHANGES)] = 100
    wait: Annotated[
        int, Field(ge=0, le=LONGEST_WAIT, description="Seconds to wait for a change, if there is none yet.")
    ] = 0
