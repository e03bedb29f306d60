"""A JSON object in a file, as the value of an option."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import click

from webhook.cli.client import Json
from webhook.cli.terminal import safe

LARGEST = 512 * 1024  # bytes; the service takes no larger one


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


def _members(pairs: list[tuple[str, Any]]) -> Json:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key is there twice: parsers take either")
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
