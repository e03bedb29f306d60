"""Exports as jobs (R34): the file of the matching numbers, kept and downloaded as often as needed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.api_client import Door
from tests.support.factories import World

Json = dict[str, Any]


def export(api: Door, file_format: str = "csv", **filters: str) -> Json:
    return api.done(api.post("/v1/exports", {"format": file_format, "filter": filters}))


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "xlsx"])
def test_smoke(stocked: Door, world: World, file_format: str) -> None:
    job = export(stocked, file_format)
    print(json.dumps(job, indent=1))
    answer = stocked.get(job["links"]["file"])
    print(answer.status_code, answer.headers, answer.data[:300])
    assert answer.status_code == 200
    if file_format != "jsonl":
        again = stocked.upload(answer.data, name=f"x.{file_format}", on_existing="update")
        print(again["counts"], again["problem"])
        assert again["counts"]["unchanged"] == 9
