"""Subscriptions to events, by the Standard Webhooks specification. The names are a published contract."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool

from schemas.callback_urls import LONGEST_URL
from schemas.http.callbacks import Deliveries, Delivery, SentMessage, ShownSecret
from schemas.http.changes import ChangeType, NumberChange
from schemas.http.tenants import PageQuery

MOST_EVENTS = 1_000  # changes of numbers in one message
LONGEST_DESCRIPTION = 200
JOB, NUMBER = "job.", "number."


class JobEvent(StrEnum):
    """How a job ended."""

    COMPLETED = "job.completed"
    COMPLETED_WITH_ERRORS = "job.completed_with_errors"
    FAILED = "job.failed"
    CANCELLED = "job.cancelled"


class AllEvents(StrEnum):
    """All events of a kind, also those that are added later."""

    JOB = "job.*"
    NUMBER = "number.*"


class MessageState(StrEnum):
    """The state of a message: it is being sent, it was delivered, it was given up."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class MessageKind(StrEnum):
    """What a message is about."""

    JOB = "job"
    NUMBERS = "numbers"
    TEST = "test"


Event = AllEvents | JobEvent | ChangeType
EVENT_TEXTS: Mapping[Event, str] = {
    AllEvents.JOB: "All events about jobs",
    JobEvent.COMPLETED: "A job finished without errors",
    JobEvent.COMPLETED_WITH_ERRORS: "A job finished, but some rows failed",
    JobEvent.FAILED: "A job could not be completed",
    JobEvent.CANCELLED: "A job was cancelled",
    AllEvents.NUMBER: "All changes of phone numbers",
    ChangeType.CREATED: "A number was added",
    ChangeType.CHANGED: "Capabilities or carriers of a number were changed",
    ChangeType.ASSIGNED: "A number was assigned",
    ChangeType.UNASSIGNED: "A number was unassigned",
    ChangeType.DELETED: "A number was deleted",
    ChangeType.RESTORED: "A number was restored by an undo",
    ChangeType.GONE: "A number left your inventory",
}


def _without_repeats(events: list[Event]) -> list[Event]:
    return list(dict.fromkeys(events))


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


Url = Annotated[
    str,
    Field(
        description="Where events are sent: http or https, without user, password and fragment.",
        json_schema_extra={"format": "uri", "maxLength": LONGEST_URL},
    ),
]
Events = Annotated[
    list[Event],
    Field(min_length=1, max_length=20, examples=[["job.*", "number.assigned"]]),
    AfterValidator(_without_repeats),
]
Description = Annotated[str, Field(max_length=LONGEST_DESCRIPTION)]


class NewWebhook(_Body):
    """A subscription of the caller's own tenant; it gets the events of this tenant and of those below it."""

    url: Url
    events: Events
    description: Description = ""
    enabled: StrictBool = True


class WebhookChange(_Body):
    """Fields of a subscription to change; the others stay. `enabled` true also ends that it was switched off."""

    url: Url = ""
    events: Events = []
    description: Description = ""
    enabled: StrictBool = True


class Webhook(_Body):
    """A subscription. `disabled_at`: when it was switched off because nothing could be delivered for five days."""

    id: str
    url: str
    events: list[Event]
    description: str
    enabled: bool
    created_by: str
    created_at: datetime
    last_delivery_at: Annotated[datetime | None, Field(description="When a message was last delivered.")]
    failing_since: Annotated[datetime | None, Field(description="The first failure since the last delivery.")]
    failures: Annotated[int, Field(description="Failed attempts since the last delivery.")]
    disabled_at: datetime | None
    cursor: Annotated[str | None, Field(description="Of `/v1/changes`: how far `number.*` events were delivered.")]


class WebhookWithSecret(Webhook):
    """A subscription with the secret that signs its messages. Only this response contains it."""

    secret: ShownSecret = None
    previous_until: Annotated[datetime | None, Field(description="Until then, the previous secret signs too.")] = None


class WebhookList(_Body):
    """A page of subscriptions, oldest first."""

    data: list[Webhook]
    next_cursor: str | None


class WebhookMessage(SentMessage):
    """A message to a subscriber."""

    type: Annotated[str, Field(examples=["job.completed", "number.changes", "webhook.test"])]
    state: MessageState
    job_id: Annotated[str | None, Field(description="The job that a `job.*` event is about.")]
    last_attempt: Annotated[Delivery | None, Field(description="The latest delivery attempt.")]


class WebhookMessageWithDeliveries(WebhookMessage):
    """A message with its latest delivery attempts, newest last."""

    deliveries: Deliveries


class WebhookMessageList(_Body):
    """A page of messages, newest first."""

    data: list[WebhookMessage]
    next_cursor: str | None


class WebhookMessagesQuery(PageQuery):
    """Filter and page of a list of messages."""

    state: MessageState | None = None


class NumberChanges(_Body):
    """Changes of the inventory, in order; see `GET /v1/changes`.

    `after` is the `next_cursor` of the message before. If it is another one, changes are missing, because they were no
    longer kept or the database was restored from a backup: take an export.
    """

    after: str
    changes: list[NumberChange]
    next_cursor: str


class NumbersChanged(_Body):
    """The payload of `number.*` events, at most 1,000 in one message. `timestamp`: when the last one took effect."""

    type: Literal["number.changes"] = "number.changes"
    timestamp: datetime
    data: NumberChanges


class TestData(_Body):
    """Nothing but the subscription's id."""

    webhook_id: str


class WebhookTest(_Body):
    """The payload of a test message."""

    type: Literal["webhook.test"] = "webhook.test"
    timestamp: datetime
    data: TestData
