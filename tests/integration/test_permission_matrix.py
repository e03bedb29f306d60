"""Every action by every actor on a number in every state, over HTTP (`tests/support/permission_matrix.py`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from tests.support import factories
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.matrix_numbers import ACTIONS, LISTED, NUMBERS, stand, stock_of
from tests.support.permission_matrix import ACTORS, CODES, JOB_OF_NORTH, MATRIX, STATES, WRITTEN, cells_of

UPLOADS: dict[str, tuple[str, dict[str, str]]] = {
    "upload, existing is an error": ("FALSE", {"on_existing": "error"}),
    "upload, updating": ("TRUE", {"on_existing": "update"}),
    "upload, moving": ("FALSE", {"on_existing": "update", "assign_to": "hotel"}),
}


@pytest.fixture
def other(world: World, database: sa.Engine) -> str:
    """A number in every state; the public id of a user of the clinic who has none."""
    return stand(world, database)


@pytest.fixture
def stock(database: sa.Engine) -> Callable[[], dict[int, Any]]:
    """The whole inventory, number by number."""
    return stock_of(database)


def test_the_matrix_is_whole() -> None:
    """Every action has a column for every actor, and each column a known cell for every state."""
    for action in MATRIX.values():
        assert list(action.cells) == list(ACTORS), action.title
        for cells in map(str.split, action.cells.values()):
            assert len(cells) in {1, len(STATES)}, action.title
            assert set(cells) <= set(CODES), action.title
    assert set(MATRIX) == {"read", "new user", *UPLOADS, *ACTIONS}


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("action", [*UPLOADS, *ACTIONS])
def test_jobs(
    action: str, actor: str, api: Door, world: World, other: str, stock: Callable[[], dict[int, Any]]
) -> None:
    """R3, R8 to R11, R17 to R25: each cell, and that what is refused is left as it was."""
    door, before = api.as_(getattr(world, actor).token), stock()
    answer = _send(door, action, world, other)
    expected = cells_of(action, actor)
    if not expected:
        cell = CODES[MATRIX[action].cells[actor]]
        assert (answer.status_code, answer.json["code"]) == (403 if cell == "EXTERNAL_NOT_ALLOWED" else 422, cell)
        assert stock() == before
        return
    assert answer.status_code == 202, answer.get_data(as_text=True)
    door.work_off()
    found = dict(zip(STATES, (row["code"] for row in door.rows(answer.json["id"])), strict=True))
    assert found == {state: CODES[cell] for state, cell in expected.items()}
    after = stock()
    for state, cell in expected.items():
        changed = before.get(NUMBERS[state]) != after.get(NUMBERS[state])
        assert changed == (cell in WRITTEN), f"{action}, {actor}, {state}"


def _send(door: Door, action: str, world: World, other: str) -> TestResponse:
    if action in UPLOADS:
        fax, form = UPLOADS[action]
        lines = [("1", str(number - 10**10), "TRUE", "TRUE", fax) for number in NUMBERS.values()]
        form = {name: _named(value, world, other) for name, value in form.items()}
        return door.send(sheets.csv_bytes([sheets.HEADER, *lines]), **form)
    path, body = ACTIONS[action]
    return door.post(
        f"/v1/{path}", {name: _named(value, world, other) for name, value in body.items()} | {"numbers": LISTED}
    )


def _named(value: Any, world: World, other: str) -> Any:  # noqa: ANN401 - a member of a body
    """The public id of what stands in the table by name."""
    if value == "other":
        return other
    return getattr(world, value).tenant.public_id if value in {"north", "hotel"} else value


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.usefixtures("other")
def test_reading(actor: str, api: Door, world: World) -> None:
    """R3: one number, and the list."""
    door = api.as_(getattr(world, actor).token)
    expected = cells_of("read", actor)
    found = {
        state: "yes" if door.get(f"/v1/numbers/+{NUMBERS[state]}").status_code == 200 else "no" for state in STATES
    }
    assert found == expected
    listed = {number["e164"] for number in door.get("/v1/numbers?limit=500").json["data"]}
    assert listed == {f"+{NUMBERS[state]}" for state, cell in expected.items() if cell == "yes"}
    unseen = {door.get(f"/v1/numbers/+{NUMBERS[state]}").data for state, cell in expected.items() if cell == "no"}
    assert len(unseen) <= 1  # absent and elsewhere are one answer


@pytest.mark.long
@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.usefixtures("other")
def test_making_a_user(actor: str, api: Door, world: World, stock: Callable[[], dict[int, Any]]) -> None:
    """R20, R21: with each number in turn, each refused or given."""
    door, before = api.as_(getattr(world, actor).token), stock()
    home = {"master": "clinic", "north": "clinic", "south": "school"}.get(actor, actor)
    expected = cells_of("new user", actor) or dict.fromkeys(STATES, MATRIX["new user"].cells[actor])
    for state, cell in expected.items():
        body = {"name": "New", "email": f"{NUMBERS[state]}@x.example", "kind": "pbx"}
        body |= {"tenant_id": getattr(world, home).tenant.public_id, "phone_number": f"+{NUMBERS[state]}"}
        answer = door.client.post(
            "/v1/users", json=body, headers={"Authorization": f"Bearer {door.token}", "Prefer": "wait=0"}
        )
        if cell not in WRITTEN:
            assert answer.json["code"] == CODES[cell], state
            assert answer.status_code == (403 if cell == "XN" else 422), state
            continue
        assert answer.status_code == 201, state
        door.work_off()
        assert [row["code"] for row in door.rows(answer.json["job_id"])] == [CODES[cell]], state
    after = stock()
    for state, cell in expected.items():
        assert (before.get(NUMBERS[state]) != after.get(NUMBERS[state])) == (cell in WRITTEN), state


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("deed", ["confirm", "cancel", "undo"])
def test_deciding_about_a_job(actor: str, deed: str, api: Door, world: World) -> None:
    """R1, R3, R27: a job is its own tenant's; who is above looks on, for others it does not exist."""
    form = {} if deed == "undo" else {"mode": "review"}
    job = api.upload(sheets.csv_bytes(sheets.rows(1)), **form)["id"]
    seen, decides = JOB_OF_NORTH[actor]
    door = api.as_(getattr(world, actor).token)
    assert door.get(f"/v1/jobs/{job}").status_code == seen
    answer = door.post(f"/v1/jobs/{job}/{deed}")
    assert answer.status_code == decides
    if decides == 404:
        assert answer.json == door.post(f"/v1/jobs/00000000-0000-4000-8000-000000000000/{deed}").json


@pytest.mark.parametrize("kind", ["none", "revoked", "expired", "unknown"])
@pytest.mark.usefixtures("other")
def test_without_a_valid_token_nothing_is_told(
    kind: str, api: Door, world: World, database: sa.Engine, stock: Callable[[], dict[int, Any]]
) -> None:
    """R4: every action, the same 401 whatever is wrong with the token."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    with database.begin() as connection:
        columns = {"revoked": {"revoked_at": past}, "expired": {"expires_at": past}}.get(kind, {})
        token = factories.token(connection, world.north.tenant, **columns)
    door = api.as_({"none": "", "unknown": token + "x"}.get(kind, token))
    before = stock()
    answers = [door.post(f"/v1/{path}", {"numbers": LISTED}) for path, _ in ACTIONS.values()]
    answers += [door.send(b"x"), door.get("/v1/numbers"), door.get(f"/v1/numbers/{LISTED[0]}"), door.get("/v1/users")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.data for answer in answers}) == 1
    assert stock() == before
