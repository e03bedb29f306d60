"""Facts about the snapshot that an export is made from: headers of a download, fields of a job."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import sqlalchemy as sa


@dataclass(frozen=True)
class ExportFacts:
    """The moment of the snapshot, by the database's clock (UTC). A further fact is a further field."""

    taken_at: datetime

    def headers(self) -> dict[str, str]:
        """Return the headers of a download."""
        return {"Last-Modified": format_datetime(self.taken_at.replace(microsecond=0), usegmt=True)}

    def as_json(self) -> dict[str, Any]:
        """Return the facts that a job keeps."""
        return asdict(self) | {"taken_at": self.taken_at.isoformat()}


def facts_of(connection: sa.Connection) -> ExportFacts:
    """Return the facts about the snapshot that the connection has; called before the first number is read."""
    now = sa.select(sa.func.timezone("UTC", sa.func.now()))
    return ExportFacts(connection.execute(now).scalar_one().replace(tzinfo=UTC))
