"""A copy of the inventory that is kept by following its changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from schemas.arrow_schemas import CHANGES
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
