"""The permission matrix again, through the portal's forms: pages and API go the same way, so a sample is enough.

The forms are sent with every number, also those that the page would not offer: what is hidden is refused all the same.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from schemas.database import tables
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.matrix_numbers import ACTIONS, LISTED, NUMBERS, stand, stock_of
from tests.support.permission_matrix import ACTORS, CODES, JOB_OF_NORTH, MATRIX, STATES, WRITTEN, cells_of
from tests.support.portal_client import Portal, signed_in, text_of
from webhook.portal.numbers import submit_action
from webhook.services import user_numbers

pytestmark = pytest.mark.long

FORMS = {
    "assignments": ("assign", "assign"),
    "unassignments": ("unassign", "take-back"),
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
    for module in (submit_action, user_numbers):
        monkeypatch.setattr(module, "WAIT", 0.0)
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
    fields = {name: _filled(value, world, other) for name, value in body.items()}
    # The matrix has no limits; the portal sets one unless told otherwise (R19).
    answer = portal.post(chosen.location, fields | ({"only_unassigned": "false"} if "tenant_id" in fields else {}))
    expected = cells_of(action, actor)
    if not expected:
        assert answer.status_code == 422, text_of(answer)
        assert CODES[MATRIX[action].cells[actor]] in answer.get_data(as_text=True)
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


UPLOADS = [
    ("upload, existing is an error", "north", {"on_existing": "error"}),
    ("upload, updating", "clinic", {"on_existing": "update"}),
    ("upload, updating", "hotel", {"on_existing": "update"}),
    ("upload, updating", "school", {"on_existing": "update"}),
    ("upload, moving", "master", {"on_existing": "update", "assign_to": "hotel", "only_unassigned": "false"}),
    ("upload, moving", "south", {"on_existing": "update", "assign_to": "hotel", "only_unassigned": "false"}),
]


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize(("action", "actor", "fields"), UPLOADS)
def test_uploads(
    action: str,
    actor: str,
    fields: dict[str, str],
    api: Door,
    world: World,
    stock: Callable[[], dict[int, Any]],
    browser: Callable[[Any], Portal],
) -> None:
    """R8 to R11, R17: checked first, as the portal does, then imported."""
    account = getattr(world, actor)
    portal, before = browser(account), stock()
    fax = "TRUE" if action == "upload, updating" else "FALSE"
    lines = [("1", str(number - 10**10), "TRUE", "TRUE", fax) for number in NUMBERS.values()]
    file = (io.BytesIO(sheets.csv_bytes([sheets.HEADER, *lines])), "numbers.csv")
    given = {name: _filled(value, world, "") for name, value in fields.items()}
    answer = portal.post("/uploads", {**given, "file": file})
    expected = cells_of(action, actor)
    if not expected:
        code = CODES[MATRIX[action].cells[actor]]
        assert answer.status_code == (403 if code == "EXTERNAL_NOT_ALLOWED" else 422)
        assert code in answer.get_data(as_text=True)
        assert stock() == before
        return
    assert answer.status_code == 303, text_of(answer)
    door = api.as_(account.token)
    door.work_off()
    assert stock() == before
    assert portal.post(f"{answer.location}/confirm").status_code == 303
    door.work_off()
    (job,) = door.get("/v1/jobs").json["data"]
    found = dict(zip(STATES, (row["code"] for row in door.rows(job["id"])), strict=True))
    assert found == {state: CODES[cell] for state, cell in expected.items()}


@pytest.mark.usefixtures("other")
@pytest.mark.parametrize("actor", ["master", "clinic", "hotel", "south"])
def test_making_a_user(
    actor: str, api: Door, world: World, stock: Callable[[], dict[int, Any]], browser: Callable[[Any], Portal]
) -> None:
    """R20, R21: with each number in turn, typed as a new one."""
    portal, before = browser(getattr(world, actor)), stock()
    home = {"master": "clinic", "south": "school"}.get(actor, actor)
    expected = cells_of("new user", actor) or dict.fromkeys(STATES, MATRIX["new user"].cells[actor])
    for state, cell in expected.items():
        where = f"/users/new?kind=pbx&tenant_id={getattr(world, home).tenant.public_id}"
        fields = {"name": "New", "email": f"{NUMBERS[state]}@x.example", "new_number": f"+{NUMBERS[state]}"}
        answer = portal.post(where, fields)
        api.work_off()
        if cell in WRITTEN:
            assert answer.status_code == 303, f"{state}: {text_of(answer)}"
        else:
            assert answer.status_code in {403, 422}, state
            assert CODES[cell] in answer.get_data(as_text=True), state
    after = stock()
    for state, cell in expected.items():
        assert (before.get(NUMBERS[state]) != after.get(NUMBERS[state])) == (cell in WRITTEN), state


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("deed", ["confirm", "cancel", "undo"])
def test_deciding_about_a_job(actor: str, deed: str, api: Door, world: World, browser: Callable[[Any], Portal]) -> None:
    """R1, R3, R27: a job is its own tenant's; who is above looks on, for others it does not exist."""
    form = {} if deed == "undo" else {"mode": "review"}
    job = api.upload(sheets.csv_bytes(sheets.rows(1)), **form)["id"]
    seen, decides = JOB_OF_NORTH[actor]
    portal = browser(getattr(world, actor))
    assert portal.get(f"/jobs/{job}").status_code == seen
    assert portal.post(f"/jobs/{job}/{deed}").status_code == (303 if decides == 202 else decides)


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
