"""Sequences of corrections drawn by chance: however many rows change at once, the outcome is the same (R29, R33).

Few changed rows replace only some chunks; many have all rows cut again. Both, and a file that was corrected by hand,
must come to the same.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from tests.integration.test_corrections import correct, numbers_in, review, take_back, underscored
from tests.support.api_client import Door, Json, table
from tests.support.files import sheets
from worker.queue.completion import RecutJob
from worker.steps.recut import Recut

HEADER = ["Country Code", "Phone Number", "Voice", "SMS", "End Number"]
ROWS = 30


def drawn_row(dice: random.Random, *, blocks: bool) -> list[str]:
    number = 2125550100 + dice.randrange(ROWS)
    end = str(number + dice.randrange(4)) if blocks and dice.random() < 0.1 else ""
    country = dice.choice(["1", "1", "1", "", "44"])
    return [country, dice.choice([str(number)] * 6 + ["12", "x"]), dice.choice(["TRUE", "TRUE", "?"]), "", end]


def drawn_correction(dice: random.Random, *, blocks: bool) -> Json:
    rules = [
        {"column": "Country Code", "code": "MISSING_VALUE", "set": "1"},
        {"column": "Voice", "equals": "?", "set": dice.choice(["TRUE", "no idea"])},
        {"column": "Phone Number", "replace": ["x", str(2125550100 + dice.randrange(ROWS))]},
        {"column": "Phone Number", "code": "TOO_SHORT", "leave_out": True},
        {"column": "Phone Number", "code": "CONFLICTING_DUPLICATE", "leave_out": True},
    ]
    cells = [
        {"row": dice.randrange(2, ROWS + 2), "column": HEADER[place], "value": drawn_row(dice, blocks=blocks)[place]}
        for place in (dice.randrange(5) for _ in range(dice.randrange(3)))
    ]
    body: Json = {
        "rules": dice.sample(rules, dice.randrange(2)),
        "cells": cells,
        "leave_out": [dice.randrange(2, ROWS + 2) for _ in range(dice.randrange(2))],
    }
    return body if any(body.values()) else {"leave_out": [2]}


def played(api: Door, rows: list[list[str]], steps: list[Json | int]) -> tuple[list[list[Json]], Json]:
    """Make corrections, or take back those with a number; return the rows after each step, and the job."""
    job = review(api, [HEADER, *rows])
    seen = []
    for step in steps:
        job = take_back(api, job, step) if isinstance(step, int) else correct(api, job, step)
        assert job["status"] == "review", job["problem"]
        found = api.rows(job["id"])
        assert [row["row"] for row in found] == list(range(2, ROWS + 2))
        effect = job["review"]["effect"]
        assert effect["created"] == sum(row["result"] == "created" for row in found)
        assert sum(target["created"] for target in job["review"]["targets"]) == sum(row["written"] for row in found)
        seen.append(found)
    return seen, job


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[RecutJob]:
    """Return a list to which every small correction adds its outcome."""
    found: list[RecutJob] = []
    done = Recut.done

    def noted(recut: Recut) -> RecutJob | None:
        outcome = done(recut)
        if outcome is not None:
            found.append(outcome)
        return outcome

    monkeypatch.setattr(Recut, "done", noted)
    return found


# A file with blocks of numbers is always cut as a whole.
@pytest.mark.parametrize(("seed", "blocks"), [(seed, seed % 4 == 0) for seed in range(12)])
def test_few_and_many_changed_rows_come_to_the_same(
    api: Door,
    database: sa.Engine,
    configure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    *,
    blocks: bool,
) -> None:
    dice = random.Random(seed)
    configure(rows_per_batch=7, rows_per_chunk=4)
    rows = [drawn_row(dice, blocks=blocks) for _ in range(ROWS)]
    steps: list[Json | int] = []
    for number in range(1, 8):
        steps.append(drawn_correction(dice, blocks=blocks))
        if dice.random() < 0.3:
            steps.append(number)
    outcomes: list[Any] = []
    replaced = _counted(monkeypatch)
    for is_small in (True, False):
        if not is_small:
            monkeypatch.setattr(Recut, "is_small", property(lambda _: False))
        seen, job = played(api, rows, steps)
        ended = api.done(api.post(f"/v1/jobs/{job['id']}/confirm"))
        assert ended["counts"]["created"] == job["review"]["effect"]["created"]
        outcomes.append((seen, table(api.report(job["id"])), numbers_in(database)))
        api.done(api.post(f"/v1/jobs/{job['id']}/undo"))
        assert numbers_in(database) == []
    assert outcomes[0] == outcomes[1]
    assert replaced or blocks, "no correction was small"

    by_hand = [list(row) for row in rows]
    left_out = {line["_row"] for line in outcomes[0][1] if line["_code"] == "LEFT_OUT"}
    for place, row in enumerate(seen[-1]):
        for cell in row["corrections"]:
            by_hand[place][HEADER.index(cell["column"])] = cell["now"]
        if str(row["row"]) in left_out:
            by_hand[place] = [""] * len(HEADER)
    uploaded = api.upload(sheets.csv_bytes([HEADER, *by_hand]))
    assert numbers_in(database) == outcomes[0][2]
    for line, other in zip(table(api.report(uploaded["id"])), outcomes[0][1], strict=True):
        if other["_code"] != "LEFT_OUT":
            assert underscored(line) == underscored(other)
