"""Uploads and jobs in the portal, as a browser without scripts has them: every form, refusal and state (R3, R8, R9)."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.codes import Code
from schemas.database.tables import jobs
from schemas.http import resources as bodies
from schemas.jobs import Phase
from tests.support import factories
from tests.support.api_client import Door, table
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.portal_client import Portal, signed_in
from tests.support.portal_client import text_of as words
from webhook.portal.jobs import labels
from worker import pipeline

SOUND = sheets.csv_bytes(sheets.rows(3))
DAMAGED = sheets.csv_bytes(
    [*sheets.rows(3), ["1", "ask <b>Bob</b>", "TRUE", "", ""], ["1", "2125559999", "maybe", "", ""]]
)
SCRIPT = "<script>alert(1)</script>.csv"


class Site(Portal):
    """The portal as who uploads has it."""

    def page(self, path: str) -> str:
        """What a page says; it must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return words(answer)

    def send(self, content: bytes, name: str = "numbers.csv", **fields: str) -> TestResponse:
        """Send the form of an upload; the answer may be a refusal."""
        return self.post("/uploads", {**fields, "file": (io.BytesIO(content), name)})

    def upload(self, content: bytes, name: str = "numbers.csv", **fields: str) -> str:
        """Upload a file and have it checked; the address of its page."""
        path = after(self.send(content, name, **fields))
        self.work_off()
        return path

    def imported(self, content: bytes, name: str = "numbers.csv", **fields: str) -> str:
        """Upload a file, confirm it and have it done; the address of its page."""
        path = self.upload(content, name, **fields)
        after(self.post(f"{path}/confirm"))
        self.work_off()
        return path


def after(answer: TestResponse) -> str:
    """Where the answer to a form leads."""
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return urlsplit(answer.headers["Location"]).path


@pytest.fixture
def other(world: World, database: sa.Engine, work_off: Callable[[], None]) -> Callable[[str], Site]:
    """`other("hotel")`: the portal in the name of a tenant."""

    def enter(name: str) -> Site:
        return Site(signed_in(database, getattr(world, name).tenant).client, work_off)

    return enter


@pytest.fixture
def site(other: Callable[[str], Site]) -> Site:
    """The portal in the name of the reseller `north`."""
    return other("north")


def count(database: sa.Engine) -> int:
    with database.begin() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(jobs)).scalar_one())


# Step 1: choose


def test_the_form_names_what_holds_if_nothing_is_chosen(site: Site) -> None:
    said = site.page("/uploads/new")
    assert "Default (Master Voice)" in said
    assert "Default (Master SMS)" in said
    assert "Your own inventory (Northern Reseller)" in said
    assert "Clinic Enterprise" in said
    assert "North voice" in said


def test_the_form_offers_nothing_of_strangers(site: Site, world: World) -> None:
    said = site.page("/uploads/new")
    assert not any(secret in said for secret in (*world.secrets_of_south, "South voice"))


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_sample_files(site: Site, ending: str) -> None:
    answer = site.get(f"/uploads/sample.{ending}")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == f'attachment; filename="numbers.{ending}"'
    assert site.upload(answer.data, f"numbers.{ending}")


def test_an_upload_is_shown_before_anything_is_written(site: Site, api: Door) -> None:
    path = site.upload(DAMAGED)
    said = site.page(path)
    assert "3 numbers can be imported, 2 rows have errors" in said
    assert "3 created · 2 failed (5 rows)" in said
    assert "Import 3 numbers" in said
    assert api.get("/v1/numbers").json["data"] == []


def test_what_is_chosen_holds(site: Site, api: Door, world: World) -> None:
    fields = {
        "voice_carrier": "North voice",
        "assign_to": world.clinic.tenant.public_id,
        "on_error": "abort",
        "on_existing": "update",
        "accept": "possible",
        "number_format": "national",
        "header_row": "1",
        "delimiter": "comma",
    }
    path = site.upload(SOUND, **fields)
    said = site.page(path)
    assert "Voice Carrier North voice: 3 numbers" in said
    assert "Clinic Enterprise: 3 will be created" in said
    job = api.job(path.rpartition("/")[2])
    assert [job[name] for name in ("mode", "on_error", "on_existing", "accept", "number_format")] == [
        "review",
        "abort",
        "update",
        "possible",
        "national",
    ]
    assert "How numbers are written National (as dialled in the country)" in said


REFUSED = {
    "assign_to": ("nobody", "isn't an enterprise or reseller available to you"),
    "voice_carrier": ("South voice", "isn't a Voice Carrier Name available to you"),
    "header_row": ("first", "This should be a whole number."),
    "encoding": ("klingon", "a text encoding such as utf-8"),
    "on_error": ("perhaps", "This should be"),
    "number_format": ("perhaps", "This should be"),
    "parent_job_id": ("00000000-0000-4000-8000-000000000000", "upload job not found"),
}


@pytest.mark.parametrize(("field", "wrong"), REFUSED.items(), ids=REFUSED)
def test_a_wrong_field_is_told_beside_it_and_the_others_are_kept(
    site: Site, database: sa.Engine, field: str, wrong: tuple[str, str], stored: Callable[[], list[str]]
) -> None:
    value, text = wrong
    answer = site.send(SOUND, **({"sheet": "My sheet"} | {field: value}))
    assert answer.status_code == 422
    assert text in words(answer)
    assert 'value="My sheet"' in answer.get_data(as_text=True)
    assert count(database) == 0
    assert stored() == []


def test_no_file(site: Site, database: sa.Engine) -> None:
    answer = site.send(b"", "", voice_carrier="North voice")
    assert answer.status_code == 422
    assert "No file was chosen. Choose one with Browse." in words(answer)
    assert 'aria-describedby="e-file' in answer.get_data(as_text=True)
    assert count(database) == 0


def test_a_file_that_is_too_large(site: Site, configure: Callable[..., None], database: sa.Engine) -> None:
    configure(max_upload_bytes=50)
    answer = site.send(SOUND)
    assert answer.status_code == 413
    assert "larger than the limit" in words(answer) or "The limit is 50 bytes" in words(answer)
    assert count(database) == 0


def test_a_form_of_another_site_enters_nothing(
    site: Site, database: sa.Engine, stored: Callable[[], list[str]]
) -> None:
    wrong = site.post("/uploads", {"csrf_token": "0" * 64, "file": (io.BytesIO(SOUND), "a.csv")})
    assert "This form is out of date" in words(wrong)
    foreign = site.post("/uploads", {"file": (io.BytesIO(SOUND), "a.csv")}, headers={"Sec-Fetch-Site": "cross-site"})
    assert [wrong.status_code, foreign.status_code] == [403, 403]
    assert count(database) == 0
    assert stored() == []


def test_a_form_sent_twice_makes_one_job(site: Site, database: sa.Engine) -> None:
    first, again = (site.send(SOUND, upload_key="k1") for _ in range(2))
    assert after(first) == after(again)
    assert count(database) == 1
    assert after(site.send(SOUND, upload_key="k2")) != after(first)


def test_a_key_of_another_request_is_not_taken_for_it(site: Site, database: sa.Engine) -> None:
    site.send(SOUND, upload_key="k1")
    answer = site.send(DAMAGED, upload_key="k1")
    assert answer.status_code == 422
    assert count(database) == 1


def test_a_refused_form_leaves_its_key_free(site: Site) -> None:
    assert site.send(SOUND, upload_key="k1", voice_carrier="nobody").status_code == 422
    assert after(site.send(SOUND, upload_key="k1"))


def test_scripts_are_answered_in_json(site: Site) -> None:
    asked = {"Accept": "application/json"}
    assert site.get("/uploads/ready", headers=asked).json == {"csrf_token": site.token()}
    sent = site.post("/uploads", {"file": (io.BytesIO(SOUND), "a.csv")}, headers=asked)
    assert sent.status_code == 201
    assert site.get(sent.json["location"]).status_code == 200
    refused = site.post("/uploads", {"file": (io.BytesIO(SOUND), "a.csv"), "assign_to": "nobody"}, headers=asked)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json["errors"]] == ["assign_to"]


def test_without_a_session(site: Site, database: sa.Engine) -> None:
    site.client.delete_cookie("numberyard")
    asked = {"Accept": "application/json"}
    assert site.get("/uploads/ready", headers=asked).status_code == 401
    headers = {"Sec-Fetch-Site": "same-origin"}
    data = {"file": (io.BytesIO(SOUND), "a.csv")}
    assert after(site.client.post("/uploads", data=data, headers=headers)) == "/sign-in"
    for path in ("/uploads/new", "/jobs", "/jobs/x", "/uploads/sample.csv", "/jobs/x/report.csv"):
        assert after(site.get(path)) == "/sign-in"
    assert count(database) == 0


def test_an_enterprise_uploads_only_if_it_may(other: Callable[[str], Site], database: sa.Engine) -> None:
    """R9, with the same check as the API."""
    hotel, clinic = other("hotel"), other("clinic")
    for answer in (hotel.get("/uploads/new"), hotel.send(SOUND)):
        assert answer.status_code == 403
        assert "Ask your reseller to turn on Allow External Numbers" in words(answer)
    assert count(database) == 0
    assert "Upload Phone Numbers" not in hotel.page("/jobs")
    assert "3 numbers can be imported" in clinic.page(clinic.upload(SOUND))


# Step 2: check


def test_errors_are_grouped_by_cause_and_marked_in_their_row(site: Site) -> None:
    path = site.upload(DAMAGED)
    said, markup = site.page(path), site.get(path).get_data(as_text=True)
    assert "1 row, first in row 5" in said
    assert Code.INVALID_CHARACTER in said
    assert "“ask <b>Bob</b>” isn't a phone number" in said
    assert "<b>Bob</b>" not in markup
    heads = re.findall(r'<th scope="row" rowspan="2" id="(row-\d+)">', markup)
    assert re.findall(r'<td colspan="6" headers="(row-\d+)"', markup) == heads == ["row-5", "row-6"]
    wrong = re.findall(r'<td class="wrong-cell" data-label="([^"]+)"', markup)
    assert wrong == ["Phone Number", "Phone Number", "Voice"]  # the first also in the preview


def test_what_was_understood_is_told(site: Site) -> None:
    content = sheets.csv_bytes(
        [["CC", "Tel. number", "Voice", "SMS", "Note", "Phone"], ["US", "", "TRUE", "", "x", "(212) 555-0142"]],
        delimiter=";",
    )
    said = site.page(site.upload(content))
    assert "CC → Country Code" in said
    assert "Phone → Phone Number" in said
    assert "semicolon" in said
    assert "Ignored columns Tel. number, Note" in said
    assert "2 US (212) 555-0142 → +12125550142" in said


def test_causes_found_only_against_the_inventory_are_told_too(site: Site, world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        factories.number(connection, 12125550000, world.south.tenant)
        factories.number(connection, 12125550001, world.north.tenant)
    said = site.page(site.upload(SOUND))
    assert "1 number can be imported, 1 row has errors" in said
    assert Code.NUMBER_EXISTS_ELSEWHERE in said
    assert "already in your inventory" in said
    assert not any(secret in said for secret in world.secrets_of_south)


def test_nothing_to_import_has_no_button(site: Site) -> None:
    said = site.page(site.upload(DAMAGED, on_error="abort"))
    assert "Nothing can be imported" in said
    assert "3 rows are fine" in said
    assert "Import 3" not in said


def test_a_file_that_cannot_be_used(site: Site) -> None:
    path = site.upload(sheets.PDF, "scan.pdf", on_error="abort")
    said = site.page(path)
    assert "The file could not be used" in said
    assert "Save it as .xlsx or .csv and upload that." in said
    assert "Upload again" in said
    again = site.get(f"/uploads/new?like={path.rpartition('/')[2]}").get_data(as_text=True)
    assert 'value="abort" checked' in again


@pytest.mark.long
def test_names_of_files_are_only_text(site: Site) -> None:
    path = site.imported(DAMAGED, SCRIPT)
    for shown in (path, "/jobs", f"{path}/undo", f"/uploads/new?parent={path.rpartition('/')[2]}"):
        assert "<script>alert" not in site.get(shown).get_data(as_text=True)


# Decisions


@pytest.mark.long
def test_confirmed_once(site: Site) -> None:
    path = site.upload(SOUND)
    assert after(site.post(f"{path}/confirm")) == path
    assert after(site.post(f"{path}/confirm")) == path
    assert "Already confirmed (in another tab); it is running now." in site.page(path)
    site.work_off()
    assert after(site.post(f"{path}/cancel")) == path
    assert "It had already finished; nothing was stopped." in site.page(path)


def test_cancelled_before_the_import(site: Site, api: Door) -> None:
    path = site.upload(SOUND)
    site.post(f"{path}/cancel")
    site.work_off()
    said = site.page(path)
    assert "Cancelled before anything was imported" in said
    assert "Upload again" in said
    assert api.get("/v1/numbers").json["data"] == []


@pytest.mark.long
def test_undone(site: Site, api: Door) -> None:
    path = site.imported(SOUND)
    asked = site.page(f"{path}/undo")
    assert "The numbers that 3 rows added will be removed" in asked
    undoing = after(site.post(f"{path}/undo"))
    site.work_off()
    said = site.page(undoing)
    assert "3 rows undone" in said
    assert "This undoes the upload of numbers.csv" in said
    assert api.get("/v1/numbers").json["data"] == []


@pytest.mark.long
def test_those_above_see_why_they_may_not_decide(other: Callable[[str], Site]) -> None:
    """R1, R27: as `permissions.check_control` says."""
    clinic, north, south = other("clinic"), other("north"), other("south")
    path = clinic.upload(SOUND)
    said = north.page(path)
    assert "only they can import, stop or undo it" in said
    assert "Import 3 numbers" not in said
    for decision in ("confirm", "cancel", "undo"):
        assert north.post(f"{path}/{decision}").status_code == 403
        assert south.post(f"{path}/{decision}").status_code == 404
    assert clinic.post(f"{path}/confirm", {"csrf_token": "0"}).status_code == 403
    for part in ("", "/live", "/undo", "/report.csv"):
        assert south.get(path + part).status_code == 404
    assert "numbers.csv" not in south.page("/jobs")


# Step 3 and the result


@pytest.mark.long
def test_a_job_under_way_tells_how_far_it_is(site: Site, api: Door) -> None:
    path = after(site.send(SOUND))
    assert "Waiting" in site.page(path)
    assert "Position 1 in the queue" in site.page(path)
    assert "Refresh" in site.page(path)
    site.work_off()
    part = site.get(f"{path}/live?seen=check")
    assert (part.headers["HX-Refresh"], part.data) == ("true", b"")
    assert site.get(f"{path}/live?seen=review").status_code == 204
    site.post(f"{path}/confirm")
    part = site.get(f"{path}/live?seen=work")
    assert "Importing" in words(part)
    assert "<html" not in part.get_data(as_text=True)
    site.work_off()
    assert site.get(f"{path}/live?seen=work").headers["HX-Refresh"] == "true"
    assert "numbers.csv finished: 3 created." in site.page(path)
    assert api.job(path.rpartition("/")[2])["status"] == "completed"


@pytest.mark.long
def test_what_is_written_cannot_be_stopped(site: Site, api: Door) -> None:
    """While only the report is missing no page offers Stop, nor does an older one make it a stopped job."""
    path = site.upload(SOUND)
    site.post(f"{path}/confirm")
    assert "Stop now" in site.page(path)
    assert pipeline.run(Phase.WRITE)
    assert site.get(f"{path}/live?seen=work").headers["HX-Refresh"] == "true"
    assert "All rows are done. Preparing the report." in site.page(path)
    assert "Stop now" not in site.page(path)
    assert after(site.post(f"{path}/cancel")) == path
    assert "Too late to stop: all rows are done" in site.page(path)
    site.work_off()
    assert api.job(path.rpartition("/")[2])["status"] == "completed"


def test_who_listens_is_told_no_time_left(site: Site, api: Door) -> None:
    """What is said aloud stays while the page goes on, so that two times would be on it."""
    path = site.upload(SOUND)
    site.post(f"{path}/confirm")
    found = bodies.Job.model_validate(api.job(path.rpartition("/")[2]))
    told = found.progress.model_copy(update={"rows_per_second": 2.0, "eta_seconds": 14.0, "queue_position": None})
    found = found.model_copy(update={"progress": told})
    assert labels.progress(found) == "0% · 0 of 3 rows · 2 rows a second · about 14 seconds left"
    assert labels.aloud(found) == "0% · 0 of 3 rows"
    assert "left" not in re.findall(r'data-words="([^"]*)"', site.get(path).get_data(as_text=True))[0]


@pytest.mark.long
def test_the_result_adds_up_and_can_be_saved(site: Site) -> None:
    path = site.imported(DAMAGED)
    said = site.page(path)
    assert "3 created · 2 failed (5 rows)" in said
    failed = site.get(f"{path}/report.csv?rows=failed")
    assert failed.headers["Content-Disposition"] == 'attachment; filename="numbers-failed.csv"'
    assert [line["_row"] for line in table(failed.data)] == ["5", "6"]
    for query in ("report.csv", "report.csv?rows=unprocessed", "report.xlsx?rows=failed"):
        assert site.get(f"{path}/{query}").status_code == 200
    assert site.get(f"{path}/report.csv?rows=some").status_code == 422


def test_r14b_the_form_asks_how_numbers_are_written(site: Site) -> None:
    """Detected unless the uploader says so; a corrected file is read as the first was."""
    words = {
        "auto": "Detect automatically",
        "national": "National (as dialled in the country)",
        "international": "International, without +",
    }
    form = site.get("/uploads/new").get_data(as_text=True)
    for value, text in words.items():
        mark = " checked" if value == "auto" else ""
        assert f'name="number_format" value="{value}"{mark}> <span>{text}</span>' in form
    parent = site.imported(DAMAGED, number_format="international").rpartition("/")[2]
    for query in ("parent", "like"):
        again = site.get(f"/uploads/new?{query}={parent}").get_data(as_text=True)
        assert 'name="number_format" value="international" checked' in again
        assert '<details class="more" open>' in again


@pytest.mark.long
def test_a_corrected_file_mends_the_first(site: Site) -> None:
    path = site.imported(DAMAGED, assign_to="", on_existing="update")
    parent = path.rpartition("/")[2]
    form = site.get(f"/uploads/new?parent={parent}").get_data(as_text=True)
    assert f'name="parent_job_id" value="{parent}"' in form
    assert 'value="update" checked' in form
    mended = sheets.csv_bytes([sheets.HEADER, ["1", "2125550009", "TRUE", "", ""], ["1", "later", "TRUE", "", ""]])
    again = site.imported(mended, parent_job_id=parent)
    for shown in (path, again):
        assert "1 of 2 failed rows corrected, 1 left." in site.page(shown)


@pytest.mark.long
def test_rows_by_result_and_reason_page_by_page(site: Site) -> None:
    lines = [*sheets.rows(60), *(["1", "ask Bob", "TRUE", "", ""] for _ in range(70))]
    path = site.imported(sheets.csv_bytes(lines))

    def follow(query: str) -> tuple[list[str], TestResponse]:
        rows, address = [], f"{path}{query}"
        while True:
            answer = site.get(address)
            text = answer.get_data(as_text=True).partition('id="rows"')[2]
            rows += re.findall(r'<th scope="row"[^>]*><span class="on-cards">Row </span>(\d+)</th>', text)
            onward = re.search(r'href="([^"]+)" rel="next"', text)
            if onward is None:
                return rows, answer
            address = onward.group(1).replace("&amp;", "&").partition("#")[0]

    failed, last = follow("")
    assert failed == [str(row) for row in range(62, 132)]
    assert "First page" in words(last)
    assert len(follow("?outcome=created")[0]) == 60
    assert len(follow("?outcome=all")[0]) == 130
    assert len(follow(f"?outcome=all&code={Code.INVALID_CHARACTER}")[0]) == 70
    assert "No row has this result" in words(follow("?outcome=skipped")[1])
    assert site.get(f"{path}?outcome=perhaps").status_code == 422


def test_a_report_that_is_gone_is_told(site: Site, database: sa.Engine) -> None:
    path = site.imported(DAMAGED)
    with database.begin() as connection:
        connection.execute(jobs.update().values(finished_at=sa.func.now() - sa.text("interval '10 years'")))
    said = site.page(path)
    assert "The report has expired" in said
    assert "3 created · 2 failed (5 rows)" in said
    assert "Undo" not in said
    assert site.get(f"{path}/report.csv").status_code == 410


@pytest.mark.long
def test_other_actions_have_fitting_words(site: Site, api: Door, world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        factories.number(connection, 12125550000, world.north.tenant)
    body = {"numbers": ["+12125550000"], "tenant_id": world.clinic.tenant.public_id}
    job = api.act("assignments", body | {"mode": "review"})
    assert "Assign 1 number" in site.page(f"/jobs/{job['id']}")
    assert "1 number can be assigned" in site.page(f"/jobs/{job['id']}")
    done = api.act("assignments", body)
    assert "1 row assigned" in site.page(f"/jobs/{done['id']}")
    assert "Upload" not in site.page(f"/jobs/{done['id']}")


# Activity


@pytest.mark.long
def test_activity(site: Site) -> None:
    assert "No activity yet" in site.page("/jobs")
    site.imported(DAMAGED, "first.csv")
    waiting = after(site.send(SOUND, "second.csv"))
    said = site.page("/jobs")
    assert said.index("second.csv") < said.index("first.csv")
    assert "3 created · 2 failed (5 rows)" in said
    assert "Position 1 in the queue" in said
    assert 'hx-trigger="every 2s"' in site.get("/jobs").get_data(as_text=True)
    part = site.get("/jobs/live")
    assert "second.csv" in words(part)
    assert "<html" not in part.get_data(as_text=True)
    site.work_off()
    assert waiting in site.get("/jobs").get_data(as_text=True)
    assert "hx-trigger" not in site.get("/jobs").get_data(as_text=True)


def test_activity_is_filtered_and_paged(site: Site, world: World, database: sa.Engine) -> None:
    with database.begin() as connection:
        for place in range(30):
            factories.job(connection, world.north.tenant, name=f"file-{place}.csv")
    first = site.get("/jobs?kind=upload&status=accepted")
    onward = re.search(r'href="([^"]+)" rel="next"', first.get_data(as_text=True))
    assert onward is not None
    second = site.page(onward.group(1).replace("&amp;", "&"))
    assert "file-29.csv" in words(first)
    assert "file-0.csv" in second
    assert "First page" in second
    assert "No matching activity" in site.page("/jobs?kind=delete")


def test_every_page_has_the_policy_and_no_inline_code(site: Site) -> None:
    path = site.imported(DAMAGED)
    for shown in ("/uploads/new", "/jobs", path, f"{path}/undo"):
        answer = site.get(shown)
        markup = answer.get_data(as_text=True)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert not re.search(r"\sstyle=|<style|<script>|\son\w+=", markup)
        assert len(re.findall("<h1", markup)) == 1
