"""What the portal tells of undoing: of the job that is undone, of the undo, and in Activity (R27)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from schemas.jobs import Phase
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.portal_client import Portal, signed_in, text_of
from worker import pipeline

SOUND = sheets.csv_bytes(sheets.rows(4))
DAMAGED = sheets.csv_bytes([*sheets.rows(3), ["1", "ask Bob", "TRUE", "", ""]])
FIRST = "+12125550000"


def page(portal: Portal, job: Json, more: str = "") -> str:
    answer = portal.get(f"/jobs/{job['id']}{more}")
    assert answer.status_code == 200
    return text_of(answer)


def undo(api: Door, job: Json) -> Json:
    return api.done(api.post(f"/v1/jobs/{job['id']}/undo"))


def stopped_undo(api: Door, job: Json) -> Json:
    """An undo that is stopped after its first chunk."""
    undoing = api.post(f"/v1/jobs/{job['id']}/undo").json
    assert pipeline.run(Phase.CHECK)
    assert pipeline.run(Phase.WRITE)
    return api.done(api.post(f"/v1/jobs/{undoing['id']}/cancel"))


def refusal(api: Door, job: Json) -> str:
    answer = api.post(f"/v1/jobs/{job['id']}/undo")
    assert answer.status_code == 409
    return str(answer.json["code"])


@pytest.mark.long
def test_an_upload_that_was_undone_says_so_and_is_not_undone_twice(api: Door, portal: Portal) -> None:
    job = api.upload(DAMAGED, "ugly.xlsx.csv")
    assert "Undo ..." in page(portal, job)
    assert "Upload corrected file" in page(portal, job)
    undoing = undo(api, job)
    said = page(portal, job)
    assert "Undone on" in said
    assert "3 of 3 rows." in said
    assert f'/jobs/{undoing["id"]}">See the undo' in portal.get(f"/jobs/{job['id']}").get_data(as_text=True)
    assert "Undo ..." not in said
    assert "Upload corrected file" not in said
    assert "Upload again" in said
    asked = page(portal, job, "/undo")
    assert "there is nothing left to undo" in asked
    assert "Undo 3 rows" not in asked
    assert refusal(api, job) == "NOTHING_TO_UNDO"
    answer = portal.post(f"/jobs/{job['id']}/undo", follow_redirects=True)
    assert "The job changed nothing, or all its changes are already undone." in text_of(answer)


@pytest.mark.long
def test_an_undo_says_what_it_undid_and_has_words_of_its_own(api: Door, portal: Portal) -> None:
    job = api.upload(DAMAGED, "ugly.csv")
    undoing = undo(api, job)
    said = page(portal, undoing, "?outcome=all")
    assert "Undo: upload of ugly.csv" in said
    assert "This undoes the upload of ugly.csv" in said
    assert "Nothing to undo: the row changed nothing" in said
    assert "already as requested" not in said
    assert "already as requested" in str(api.rows(undoing["id"]))  # the API's words are the catalogue's
    again = undo(api, undoing)
    assert "Redo: upload of ugly.csv" in page(portal, again)
    assert "it was then redone" in page(portal, job)
    assert "Undo ..." in page(portal, job)


@pytest.mark.long
def test_activity_tells_in_a_word_what_is_undone(api: Door, portal: Portal, world: World, database: sa.Engine) -> None:
    """R3: who sees neither job is told of neither."""
    job = api.upload(DAMAGED, "ugly.csv")
    api.post(f"/v1/jobs/{job['id']}/undo")
    said = text_of(portal.get("/jobs"))
    assert "Being undone" in said
    assert "An undo is in progress." in page(portal, job)
    assert "Undo ..." not in page(portal, job)
    assert "Wait until that undo has finished" in page(portal, job, "/undo")
    api.work_off()
    said = text_of(portal.get("/jobs"))
    assert "Undo: upload of ugly.csv" in said
    assert "Completed with errors Undone" in said
    assert "Undo: upload of ugly.csv" in text_of(portal.get("/jobs/live"))
    assert "ugly.csv" not in text_of(signed_in(database, world.south.tenant).get("/jobs"))


@pytest.mark.long
def test_the_list_asks_once_for_all_its_jobs(api: Door, portal: Portal) -> None:
    """However many of them are undone."""
    asked: list[str] = []

    def count() -> int:
        asked.clear()
        assert portal.get("/jobs").status_code == 200
        return len(asked)

    def note(*given: object) -> None:
        asked.append(str(given[2]))

    undo(api, api.upload(SOUND))
    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        few = count()
        for _ in range(3):
            undo(api, api.upload(SOUND))
        assert count() == few
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


@pytest.mark.long
def test_rows_left_alone_may_be_undone_later(api: Door, portal: Portal) -> None:
    job = api.upload(SOUND)
    change = api.act("capability-changes", {"numbers": [FIRST], "fax": True})
    first = undo(api, job)
    said = page(portal, job)
    assert "Partly undone on" in said
    assert "3 of 4 rows; the others were left unchanged." in said
    assert "Undo ..." in said
    assert "Partly undone" in text_of(portal.get("/jobs"))
    assert "What was not undone" in page(portal, first)
    assert "Undo the rest ..." in page(portal, first)
    undo(api, change)
    asked = page(portal, job, "/undo")
    assert "Undo 1 row" in asked
    undo(api, job)
    assert "4 of 4 rows." in page(portal, job)
    assert "Undo the rest ..." not in page(portal, first)
    assert refusal(api, job) == "NOTHING_TO_UNDO"
    assert api.get("/v1/numbers").json["data"] == []


@pytest.mark.long
def test_an_undo_that_was_stopped_leads_on(api: Door, portal: Portal, configure: Callable[..., None]) -> None:
    configure(rows_per_chunk=2)
    job = api.upload(SOUND)
    undoing = stopped_undo(api, job)
    said = page(portal, job)
    assert "An undo was stopped partway on" in said
    assert "2 of 4 rows undone" in said
    assert "Undo ..." in said
    said = page(portal, undoing)
    assert "2 rows have not been undone yet. Undo the rest to finish." in said
    assert "The undo was stopped before this row." in said
    markup = portal.get(f"/jobs/{undoing['id']}").get_data(as_text=True)
    assert f'href="/jobs/{job["id"]}/undo"' in markup
    for wrong in ("Upload the row again", "Rows not processed", "Upload corrected file", "how to correct it"):
        assert wrong not in said
    undo(api, job)
    assert "4 of 4 rows" in page(portal, job)


@pytest.mark.long
def test_an_undo_stopped_before_it_began(api: Door, portal: Portal) -> None:
    job = api.upload(SOUND)
    undoing = api.post(f"/v1/jobs/{job['id']}/undo").json
    api.done(api.post(f"/v1/jobs/{undoing['id']}/cancel"))
    assert "Cancelled before anything was undone" in page(portal, undoing)
    assert "Undo the rest ..." in page(portal, undoing)
    assert "0 of 4 rows undone" in page(portal, job)


@pytest.mark.long
def test_r27_what_is_undone_can_be_undone_again_once_it_stands_again(api: Door) -> None:
    """Undone, and the undo undone, however often."""
    job = api.upload(SOUND)
    first = undo(api, job)
    second = undo(api, first)
    assert refusal(api, first) == "NOTHING_TO_UNDO"
    third = undo(api, second)
    assert refusal(api, job) == "NOTHING_TO_UNDO"
    assert undo(api, third)["counts"]["updated"] == 4
    assert undo(api, job)["counts"]["deleted"] == 4
    assert refusal(api, job) == "NOTHING_TO_UNDO"


@pytest.mark.long
def test_r27_while_an_undo_is_itself_being_undone_nothing_is_refused(api: Door) -> None:
    job = api.upload(SOUND)
    first = undo(api, job)
    api.post(f"/v1/jobs/{first['id']}/undo")
    assert api.post(f"/v1/jobs/{job['id']}/undo").status_code == 202
