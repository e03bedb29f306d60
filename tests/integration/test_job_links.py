"""The links of a job to what can be done with it now (R1, R27, R33, R35)."""

from __future__ import annotations

import sqlalchemy as sa

from schemas.roles import Scope
from tests.support import factories
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.job_links import ACTIONS

FILE = sheets.csv_bytes(sheets.rows(3))


def actions(job: Json) -> set[str]:
    """The actions that a job links to."""
    return {name for name in ACTIONS if job["links"][name]}


def act(api: Door, job: Json, name: str, body: Json | None = None) -> Json:
    """Follow the link of an action, and do the work that is due."""
    return api.done(api.post(job["links"][name], body))


def test_r27_r33_links_to_actions_are_those_that_work_now(api: Door) -> None:
    """Each is followed; what has none is refused."""
    faulty = FILE + b"1,212,TRUE,,\r\n"
    accepted = api.post("/v1/exports", {"format": "csv", "filter": {}}).json
    assert actions(accepted) == {"cancel"}
    assert act(api, accepted, "cancel")["status"] == "cancelled"
    review = api.upload(faulty, mode="review")
    assert actions(review) == {"confirm", "cancel", "recheck", "correct", "preview_correction"}
    rule = {"rules": [{"column": "Phone Number", "equals": "212", "set": "2125550143"}]}
    assert review["links"]["preview_correction"] == f"{review['links']['correct']}/preview"
    assert actions(act(api, review, "correct", rule)) == actions(review)
    again = act(api, review, "recheck", {})
    assert actions(again) == actions(review)
    done = act(api, again, "confirm")
    assert actions(done) == {"undo", "retry"}
    for name in set(ACTIONS) - actions(done):
        path = review["links"].get(name)
        assert path, name
        answer = api.post(path, rule if "correct" in path else {} if name == "recheck" else None)
        assert answer.status_code == 409, name
    retried = act(api, done, "retry")
    assert actions(retried) == actions(review) - {"recheck"}  # its rows are those of another file
    cancelled = act(api, retried, "cancel")
    assert "undo" not in actions(cancelled)
    undone = act(api, done, "undo")
    assert actions(undone) == {"undo"}
    after = api.get(done["links"]["self"]).json
    assert actions(after) == {"retry"}
    assert api.post(f"{done['links']['self']}/undo").status_code == 409
    act(api, undone, "undo")
    assert "undo" in actions(api.get(done["links"]["self"]).json)
    listed = {job["id"]: job for job in api.get("/v1/jobs").json["data"]}
    for job_id, job in listed.items():
        assert actions(job) == actions(api.get(f"/v1/jobs/{job_id}").json)


def test_a_file_to_map_links_to_what_settles_it(api: Door) -> None:
    job = api.upload(b"a,b\n1,2\n", mode="review")
    assert actions(job) == {"recheck", "cancel"}


def test_r1_r35_actions_are_linked_for_who_may(api: Door, world: World, database: sa.Engine) -> None:
    """Not for tenants above, roles and scopes that may not; each of them still sees the job."""
    review = api.upload(FILE, mode="review")
    done = api.upload(FILE + b"1,2125550777,TRUE,,\r\n")
    assert actions(review) > actions(done) - {"undo"}
    roles = {"viewer": "viewer"}
    scopes = {
        "viewer": [scope.value for scope in Scope],
        "reader": ["jobs:read"],
        "uploader": ["jobs:read", "uploads:write"],
        "assigner": ["jobs:read", "numbers:write"],
    }
    with database.begin() as connection:
        made = {
            name: factories.token(connection, world.north.tenant, role=roles.get(name, "operator"), scopes=some)
            for name, some in scopes.items()
        }
    expected = {
        "viewer": (set(), set()),
        "reader": (set(), set()),
        "uploader": (actions(review), set()),
        "assigner": (set(), {"undo"}),
    }
    for name, sets in expected.items():
        door = api.as_(made[name])
        assert tuple(actions(door.get(job["links"]["self"]).json) for job in (review, done)) == sets, name
    above = api.as_(world.master.token)
    assert [actions(above.get(job["links"]["self"]).json) for job in (review, done)] == [set(), set()]
