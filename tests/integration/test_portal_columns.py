"""The page that asks which column of a file is which (R31), without scripts."""

from __future__ import annotations

import io
import re
from urllib.parse import urlsplit

import pytest

from tests.support.api_client import Door
from tests.support.portal_client import Portal, text_of

FILE = b"TN,Kind,Note\n+12125550142,Y,a\n+12125550143,perhaps,b\n"
STATE = re.compile(r'name="state" value="(\w+)"')


def sent(portal: Portal, content: bytes = FILE) -> str:
    """Upload a file and have it checked; the address of its page."""
    answer = portal.post("/uploads", {"file": (io.BytesIO(content), "carrier.csv")})
    assert answer.status_code == 303, text_of(answer)
    portal.work_off()
    return urlsplit(answer.location).path


def state_on(portal: Portal, path: str) -> str:
    found = STATE.search(portal.get(path).get_data(as_text=True))
    assert found is not None
    return found[1]


def test_from_the_question_to_the_import(portal: Portal, api: Door) -> None:
    path = sent(portal)
    said = text_of(portal.get(path))
    assert "Which column is which?" in said
    fields = {
        "state": state_on(portal, path),
        "column_1": "Phone Number",
        "column_2": "Voice",
        "other_SMS": "text:FALSE",
    }
    fields |= {"value_VOICE_2_1": "TRUE", "save_profile": "1", "profile_name": "Carrier", "header_row": "1"}
    answer = portal.post(f"{path}/columns", fields)
    assert (answer.status_code, urlsplit(answer.location).path) == (303, path), text_of(answer)
    portal.work_off()
    assert "2 numbers can be imported" in text_of(portal.get(path))
    assert "Carrier" in text_of(portal.get("/import-profiles"))
    portal.post(f"{path}/confirm", {"state": state_on(portal, path)})
    portal.work_off()
    assert [number["voice"] for number in api.get("/v1/numbers").json["data"]] == [True, True]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"column_1": "Phone Number", "column_2": "Phone Number"}, "Phone Number is chosen for two columns."),
        ({"column_2": "Voice"}, "Choose the column that has the phone numbers."),
        ({"column_1": "No such column"}, "No such column"),
        ({"column_1": "Phone Number", "other_VOICE": "column:x"}, "Voice"),
    ],
)
def test_what_cannot_be_meant_is_said_on_the_form(portal: Portal, fields: dict[str, str], words: str) -> None:
    path = sent(portal)
    answer = portal.post(f"{path}/columns", {**fields, "header_row": "1"})
    if answer.status_code == 303:  # understood as far as it goes: the review says what is missing
        portal.work_off()
        answer = portal.get(path)
    else:
        assert answer.status_code == 422
    assert words in text_of(answer)


def test_another_header_row_is_read_before_its_columns_are_chosen(portal: Portal) -> None:
    path = sent(portal)
    portal.post(f"{path}/columns", {"header_row": "0", "column_2": "Voice"})
    portal.work_off()
    said = text_of(portal.get(path))
    assert "Which column is which?" in said
    assert "no name" in said


def test_a_confirmation_is_for_the_state_seen(portal: Portal, api: Door) -> None:
    path = sent(portal, b"Country Code,Phone Number,Voice,SMS\n1,2125550142,TRUE,\n")
    seen = state_on(portal, path)
    job_id = path.rpartition("/")[2]
    api.done(api.post(f"/v1/jobs/{job_id}/recheck", {"accept": "possible"}))
    answer = portal.post(f"{path}/confirm", {"state": seen})
    assert "The file was checked again meanwhile" in text_of(portal.get(answer.location))
    assert api.job(job_id)["status"] == "review"
    answer = portal.post(f"{path}/columns", {"state": seen, "column_1": "Phone Number", "header_row": "1"})
    assert (answer.status_code, "The job has changed since you saw it." in text_of(answer)) == (412, True)


def test_a_file_that_failed_without_a_review_is_read_again_first(portal: Portal, api: Door) -> None:
    failed = api.upload(FILE)
    assert failed["status"] == "failed"
    path = f"/jobs/{failed['id']}"
    assert f'href="{path}/columns"' in portal.get(path).get_data(as_text=True)
    assert "The columns are shown once the file has been read again." in text_of(portal.get(f"{path}/columns"))
    answer = portal.post(f"{path}/columns", {"state": state_on(portal, f"{path}/columns")})
    assert answer.status_code == 303, text_of(answer)
    portal.work_off()
    assert "Which column is which?" in text_of(portal.get(answer.location))


def test_options_that_are_not_chosen_stay(portal: Portal, api: Door) -> None:
    job = api.upload(FILE.replace(b",", b"|"), mode="review", delimiter="pipe", accept="possible")
    path = f"/jobs/{job['id']}"
    portal.post(f"{path}/columns", {"column_1": "Phone Number", "other_VOICE": "text:TRUE", "other_SMS": "text:FALSE"})
    portal.work_off()
    checked = api.job(job["id"])
    assert (checked["file"]["delimiter"], checked["accept"]) == ("|", "possible")
    assert checked["review"]["effect"]["created"] == 2


def test_the_list_of_profiles_says_when_one_was_used(portal: Portal, api: Door) -> None:
    first = api.upload(FILE, mode="review")
    mapping = {"columns": {"Voice": "Kind"}, "constants": {"SMS": "FALSE"}}
    api.done(api.post(f"/v1/jobs/{first['id']}/recheck", {"mapping": mapping, "save_profile": "Carrier"}))
    assert api.upload(FILE, mode="review")["file"]["profile"]["name"] == "Carrier"
    page = portal.get("/import-profiles")
    assert (page.status_code, "Never" in text_of(page)) == (200, False)
