"""Facts about the snapshot that an export is made from: headers of a download, fields of a job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import sqlalchemy as sa

from schemas.permissions import Actor
from worker.numbers import changes


@dataclass(frozen=True)
class ExportFacts:
    """The moment of the snapshot, by the database's clock (UTC), and the cursor where the changes continue (R34)."""

    taken_at: datetime
    cursor: str

    def headers(self) -> dict[str, str]:
        """Return the headers of a download."""
        moment = format_datetime(self.taken_at.replace(microsecond=0), usegmt=True)
        return {"Last-Modified": moment, "Changes-Cursor": self.cursor}

    def as_json(self) -> dict[str, Any]:
        """Return the facts that a job keeps (`schemas.http.resources.JobExport`)."""
        return {"taken_at": self.taken_at.isoformat(), "cursor": self.cursor}


def facts_of(connection: sa.Connection, actor: Actor) -> ExportFacts:
    """Return the facts about the snapshot that the connection has; called before the first number is read."""
    now = sa.select(sa.func.timezone("UTC", sa.func.now()))
    taken_at = connection.execute(now).scalar_one().replace(tzinfo=UTC)
    return ExportFacts(taken_at, str(changes.last(connection, actor)))
