"""A copy of the inventory that is kept by following its changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from schemas.arrow_schemas import CHANGED_STATE, CHANGES
from schemas.database.tables import number_changes, phone_numbers
from tests.support.api_client import Door, Json

STATE = (
    "country",
    "voice",
    "sms",
    "fax",
    "voice_carrier",
    "sms_carrier_profile",
    "status",
    "tenant",
    "uploaded_by",
    "voice_user",
    "sms_user",
    "is_external",
)


class Copy:
    """Numbers by E.164 with their state, as far as the changes up to `cursor` tell."""

    def __init__(self) -> None:
        self.numbers: dict[str, Json] = {}
        self.cursor = "0"

    def follow(self, door: Door, limit: int = 1000) -> None:
        """Catch up."""
        while True:
            answer = door.get("/v1/changes", query_string={"after": self.cursor, "limit": limit})
            assert answer.status_code == 200, answer.text
            for event in answer.json["data"]:
                self.apply(event)
            self.cursor = answer.json["next_cursor"]
            if not answer.json["data"]:
                return

    def apply(self, event: Json) -> None:
        """Take over one change; what it says happened must be possible."""
        number, kind = event["e164"], event["type"].removeprefix("number.")
        if kind in {"deleted", "gone"}:
            assert self.numbers.pop(number)
            return
        assert (number in self.numbers) == (kind in {"changed", "unassigned"}) or kind == "assigned", event
        self.numbers[number] = {name: event[name] for name in STATE}

    @staticmethod
    def of_inventory(door: Door) -> dict[str, Json]:
        """The inventory as the API lists it."""
        found: dict[str, Json] = {}
        cursor: str | None = "0"
        while cursor is not None:
            page = door.get("/v1/numbers", query_string={"limit": 500, "cursor": cursor}).json
            found |= {each["e164"]: {name: each[name] for name in STATE} for each in page["data"]}
            cursor = page["next_cursor"]
        return found

    @staticmethod
    def created(first: int, holders: Sequence[int], count: int) -> pa.Table:
        """A chunk that creates numbers of a tenant."""
        columns = {field.name: np.zeros(count, field.type.to_pandas_dtype()) for field in CHANGES}
        columns["e164"] = first * 10 + np.arange(count) + 1
        for when in ("holder", "uploader"):
            columns[f"after_{when}_id"] = np.resize(np.array(holders, np.int32), count)
        return pa.table(columns, schema=CHANGES)


def untold(connection: sa.Connection) -> list[str]:
    """What is wrong with the changes of a whole inventory: each begins where the last one of its number ended, and the
    last ones are the inventory."""
    told: dict[int, tuple[int, ...]] = {}
    faults: list[str] = []
    contents = connection.execute(sa.select(number_changes.c.content).order_by(number_changes.c.id)).scalars()
    for content in contents:
        table = pa.ipc.open_stream(content).read_all()
        states = (
            zip(*(table.column(f"{when}_{name}").to_pylist() for name in CHANGED_STATE), strict=True)
            for when in ("before", "after")
        )
        for e164, before, after in zip(table.column("e164").to_pylist(), *states, strict=True):
            known = told.pop(e164, (0,) * len(CHANGED_STATE))
            if known != before:
                faults.append(f"{e164}: {before} instead of {known}")
            if any(after):
                told[e164] = after
    columns = [sa.func.coalesce(sa.cast(phone_numbers.c[name], sa.Integer), 0) for name in CHANGED_STATE]
    held = {row[0]: tuple(row[1:]) for row in connection.execute(sa.select(phone_numbers.c.e164, *columns))}
    faults += [f"{e164} at the end" for e164 in held.keys() | told.keys() if held.get(e164) != told.get(e164)]
    return faults
