"""Points in time as the value of an option: an age such as 2h, or a date or time in ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_AGE = re.compile(r"([0-9]{1,6})([mhdw])")
METAVAR = "2h|3d|2026-11-01[T09:00+01:00]"


class Moment(click.ParamType):  # type: ignore[type-arg] # generic only in newer releases of click
    """An age (m, h, d, w), a date or a time. Without a zone it is UTC, as everywhere. The value is ISO 8601 in UTC."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).strip()
        try:
            age = _AGE.fullmatch(text)
            if age:
                moment = datetime.now(UTC) - int(age[1]) * _UNITS[age[2]]
            else:
                moment = datetime.fromisoformat(text)
                moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(
                f"“{value}” is not a time. Use an age such as 30m, 2h, 3d or 1w, a date such as 2026-11-01, or a time "
                "such as 2026-11-01T09:00:00+01:00.",
                param,
                ctx,
            )
        return moment.isoformat()
