"""E-mails about jobs: the events that a person can choose, and how an e-mail ends.

One e-mail for each job and event, to the person who started the job and to no other address. No I/O.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.jobs import JobStatus


class MailEvent(StrEnum):
    """What a person can be notified of. A cancelled job is not an event: a person cancelled it or let it expire."""

    FINISHED = "finished"
    FAILED = "failed"
    REVIEW = "review"

    @property
    def number(self) -> int:
        """The number of the work item, unique within a job."""
        return _EVENTS.index(self)

    def is_current(self, status: str) -> bool:
        """Return whether the event still describes a job with this status; a confirmed review does not."""
        return EVENT_OF.get(JobStatus(status)) is self

    @classmethod
    def of_number(cls, number: int) -> MailEvent:
        """Return the event of a work item."""
        return _EVENTS[number]


_EVENTS = (MailEvent.REVIEW, MailEvent.FINISHED, MailEvent.FAILED)  # numbers are stored: append only

EVENT_OF = {
    JobStatus.REVIEW: MailEvent.REVIEW,
    JobStatus.COMPLETED: MailEvent.FINISHED,
    JobStatus.COMPLETED_WITH_ERRORS: MailEvent.FINISHED,
    JobStatus.FAILED: MailEvent.FAILED,
}
"""The status that a job moves to -> the event."""


class MailResult(StrEnum):
    """How an e-mail ended; the values are stored, and labels of a metric."""

    SENT = "sent"  # the mail server has accepted it
    REFUSED = "refused"  # the mail server does not deliver to this address, or refuses the content
    GIVEN_UP = "given_up"  # the mail server could not be used for a day
    OVER_LIMIT = "over_limit"  # the tenant's limit for the hour was reached
    OUTDATED = "outdated"  # the person is gone or changed the choice, or the review is over
