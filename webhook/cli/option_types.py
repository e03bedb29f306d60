"""Values of options: a JSON object in a file; a point in time as an age such as 2h, or in ISO 8601."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import click

from webhook.cli.client import Json
from webhook.cli.terminal import safe

LARGEST = 512 * 1024  # bytes; the service takes no larger one


_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_AGE = re.compile(r"([0-9]{1,6})([mhdw])")


class JsonFile(click.Path):
    """A file with one JSON object; the value is its path and the object."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(  # type: ignore[override] # the object as well as the path
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Path, Json]:
        path = Path(str(super().convert(str(value), param, ctx)))
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            self.fail(f"{safe(path)} is larger than {LARGEST // 1024} KB.", param, ctx)
        try:
            document = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_members, parse_constant=_refuse)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            self.fail(f"{safe(path)} does not hold one JSON object (RFC 8259), encoded as UTF-8.", param, ctx)
        return path, document


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


def _members(pairs: list[tuple[str, Any]]) -> Json:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key is there twice: parsers take either")
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
