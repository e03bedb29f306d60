"""The permission matrix again, through the portal's forms: pages and API go the same way, so a sample is enough.

The forms are sent with every number, also those that the page would not offer: what is hidden is refused all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from schemas import tables
from tests.door import Door
from tests.factories import World
from tests.matrix_world import ACTIONS, LISTED, NUMBERS, stand, stock_of
from tests.permission_matrix import ACTORS, CODES, MATRIX, STATES, WRITTEN, cells_of
from tests.portal import Portal, signed_in, text_of
from webhook.portal.inventory import acting

FORMS = {
    "assignments": ("assign", "assign"),
    "unassignments": ("take-back", "take-back"),
    "capability-changes": ("change", "capabilities"),
    "deletions": ("delete", "delete"),
}
# Every action at least twice, every actor at least thrice, and whoever is refused at the door.
SAMPLE = [
    ("assign to reseller", "master"),
    ("assign to reseller", "north"),
    ("assign to enterprise", "north"),
    ("assign to enterprise", "clinic"),
    ("give voice", "clinic"),
    ("give voice", "school"),
    ("give SMS", "master"),
    ("give SMS", "hotel"),
    ("unassign", "north"),
    ("unassign", "clinic"),
    ("unassign voice", "clinic"),
    ("unassign voice", "south"),
    ("unassign SMS", "master"),
    ("unassign SMS", "hotel"),
    ("fax on", "clinic"),
    ("fax on", "south"),
    ("voice off", "north"),
    ("voice off", "school"),
    ("SMS off", "master"),
    ("SMS off", "hotel"),
    ("carrier", "north"),
    ("carrier", "clinic"),
    ("delete", "master"),
    ("delete", "north"),
    ("delete", "clinic"),
    ("delete", "south"),
]


def test_the_sample_has_every_action_and_every_actor() -> None:
    assert {action for action, _ in SAMPLE} == set(ACTIONS)
    assert {actor for _, actor in SAMPLE} == set(ACTORS)


@pytest.fixture
def other(world: World, database: sa.Engine) -> str:
    """A number in every state; the public id of a user of the clinic who has none."""
    return stand(world, database)


@pytest.fixture
def stock(database: sa.Engine) -> Callable[[], dict[int, Any]]:
    """The whole inventory, number by number."""
    return stock_of(database)


@pytest.fixture
def browser(database: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Portal]:
    """A browser in which an admin of an account is signed in; forms do not wait for their jobs."""
    monkeypatch.setattr(acting, "WAIT", 0.0)
    return lambda account: signed_in(database, account.tenant)


@pytest.mark.parametrize(("action", "actor"), SAMPLE)
def test_forms(
    action: str,
    actor: str,
    api: Door,
    world: World,
    other: str,
    stock: Callable[[], dict[int, Any]],
    browser: Callable[[Any], Portal],
) -> None:
    """R3, R18 to R25: each cell of the sample, and that what is refused is left as it was."""
    account = getattr(world, actor)
    portal, before = browser(account), stock()
    path, body = ACTIONS[action]
    button, page = FORMS[path]
    chosen = portal.post("/numbers/selection", {"numbers": LISTED, "action": button})
    assert chosen.location.startswith(f"/numbers/{page}?numbers=")
    answer = portal.post(chosen.location, {name: _filled(value, world, other) for name, value in body.items()})
    expected = cells_of(action, actor)
    if not expected:
        assert answer.status_code == 422, text_of(answer)
        assert CODES[MATRIX[action].cells[actor]] in text_of(answer)
        assert stock() == before
        return
    assert answer.status_code == 303, text_of(answer)
    door = api.as_(account.token)
    door.work_off()
    (job,) = door.get("/v1/jobs").json["data"]
    found = dict(zip(STATES, (row["code"] for row in door.rows(job["id"])), strict=True))
    assert found == {state: CODES[cell] for state, cell in expected.items()}
    after = stock()
    for state, cell in expected.items():
        assert (before.get(NUMBERS[state]) != after.get(NUMBERS[state])) == (cell in WRITTEN), f"{action}, {state}"


def _filled(value: object, world: World, free: str) -> str:
    """A member of an API's body as a form sends it."""
    if isinstance(value, bool):
        return "enable" if value else "disable"
    if value == "other":
        return free
    return getattr(world, value).tenant.public_id if value in {"north", "hotel"} else str(value)


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.usefixtures("other")
def test_reading(actor: str, world: World, browser: Callable[[Any], Portal]) -> None:
    """R3: the page of one number, and the list."""
    portal = browser(getattr(world, actor))
    expected = cells_of("read", actor)
    pages = {state: portal.get(f"/numbers/+{number}") for state, number in NUMBERS.items()}
    assert {state: "yes" if page.status_code == 200 else "no" for state, page in pages.items()} == expected
    listed = portal.get("/numbers?limit=200").get_data(as_text=True)
    for state, cell in expected.items():
        assert (f'value="+{NUMBERS[state]}"' in listed) == (cell == "yes"), state


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.usefixtures("other")
def test_offers(actor: str, world: World, database: sa.Engine, browser: Callable[[Any], Portal]) -> None:
    """R24, R25: Delete is offered exactly where it would be done."""
    portal, cells = browser(getattr(world, actor)), cells_of("delete", actor)
    with database.connect() as connection:
        there = set(connection.execute(sa.select(tables.phone_numbers.c.e164)).scalars())
    for state, cell in cells.items():
        if NUMBERS[state] in there and cell != "NF":
            page = portal.get(f"/numbers/+{NUMBERS[state]}").get_data(as_text=True)
            assert ("/numbers/delete?" in page) == (cell == "DE"), state
