"""The page that corrects rows under review, without scripts (R33)."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from threading import Event
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from schemas.database.tables import jobs
from tests.support.api_client import Door
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.portal_client import Portal, signed_in, text_of, toasts_of

ROWS = [
    ["Country Code", "Phone Number", "Voice", "SMS", "Voice Carrier Name"],
    ["1", "2125550100", "TRUE", "FALSE", ""],
    ["", "2125550101", "TRUE", "FALSE", ""],
    ["1", "2125550102", "maybe", "FALSE", ""],
    ["", "2125550103", "Maybe ", "FALSE", ""],
    ["1", "21255501O4", "TRUE", "FALSE", ""],
    ["1", "12", "TRUE", "FALSE", ""],
    ["1", "2125550106", "perhaps", "FALSE", "No such carrier"],
]
STATE = re.compile(r'name="state" value="(\w+)"')
VOICE = "INVALID_BOOLEAN-VOICE"
COUNTRY = "MISSING_VALUE-COUNTRY_CODE"
LETTER = "INVALID_CHARACTER-PHONE_NUMBER"
CARRIER = "CARRIER_NOT_FOUND-VOICE_CARRIER"
BY_CAUSE = {
    f"set-{COUNTRY}": "US",
    f"value-{VOICE}-0": "maybe",
    f"to-{VOICE}-0": "TRUE",
    f"value-{VOICE}-1": "perhaps",
    f"to-{VOICE}-1": "TRUE",
    f"find-{LETTER}": "O",
    f"with-{LETTER}": "0",
    "out-TOO_SHORT-PHONE_NUMBER": "1",
}


def sent(portal: Portal, rows: Sequence[Sequence[str]] = ROWS, **fields: str) -> str:
    """Upload a file and have it checked; the address of its job."""
    content = io.BytesIO(sheets.csv_bytes(rows))
    answer = portal.post("/uploads", {"file": (content, "numbers.csv"), **fields})
    assert answer.status_code == 303, text_of(answer)
    portal.work_off()
    return urlsplit(answer.location).path


def state_on(portal: Portal, path: str) -> str:
    found = STATE.search(portal.get(path).get_data(as_text=True))
    assert found is not None
    return found[1]


def apply(portal: Portal, path: str, do: str, fields: dict[str, str]) -> TestResponse:
    state = fields.pop("state", None) or state_on(portal, f"{path}/corrections")
    return portal.post(f"{path}/corrections", {"do": do, "state": state, **fields})


def applied(portal: Portal, path: str, do: str, fields: dict[str, str]) -> str:
    """Apply corrections; what the page says once the rows are checked again."""
    answer = apply(portal, path, do, fields)
    assert answer.status_code == 303, text_of(answer)
    assert "Checking every row." in text_of(portal.get(answer.location))
    portal.work_off()
    return text_of(portal.get(answer.location, follow_redirects=True))


def grid_of(page: str) -> dict[str, str]:
    """The fields of the grid, as a browser sends them."""
    pairs = re.findall(r'name="((?:cell|was)-\d+-[A-Z_]+)" value="([^"]*)"', page)
    return {name: unescape(text) for name, text in pairs}


def with_worker(portal: Portal, call: Callable[[], TestResponse]) -> TestResponse:
    """Send a request that waits for a worker, while one works."""
    ended = Event()

    def work() -> None:
        while not ended.is_set():
            portal.work_off()
            time.sleep(0.01)

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            return call()
        finally:
            ended.set()
            working.result()


def test_all_errors_are_corrected_by_one_form(portal: Portal, api: Door) -> None:
    path = sent(portal)
    assert f'href="{path}/corrections"' in portal.get(path).get_data(as_text=True)
    said = text_of(portal.get(f"{path}/corrections"))
    assert "6 rows have errors" in said
    assert "Country Code is empty. 2 rows" in said
    assert "“maybe”, 2 rows: set to" in said, "spellings of a value are one"
    assert "Germany" in said
    fields = {**BY_CAUSE, f"value-{CARRIER}-0": "No such carrier", f"to-{CARRIER}-0": "(empty)"}
    after = applied(portal, path, "rules", fields)
    assert "6 numbers can be imported" in after
    assert "No rows with errors are left. Nothing has been imported yet." in after
    portal.post(f"{path}/confirm", {"state": state_on(portal, path)})
    portal.work_off()
    job = api.job(path.rpartition("/")[2])
    assert (job["status"], job["counts"]["created"], job["counts"]["skipped"]) == ("completed", 6, 1)


def test_while_errors_are_left_the_page_comes_back(portal: Portal) -> None:
    path = sent(portal)
    after = applied(portal, path, "rules", {f"set-{COUNTRY}": "1"})
    assert "5 rows have errors" in after
    assert "Country Code is empty. Country Code set to “1”. 2 rows changed" in after
    assert "admin@" in after


def test_a_form_with_nothing_in_it_is_not_applied(portal: Portal) -> None:
    path = sent(portal)
    for do, words in (("rules", "Nothing is filled in yet."), ("cells", "Nothing is changed yet.")):
        answer = apply(portal, path, do, {})
        assert (answer.status_code, words in text_of(answer)) == (422, True)


def test_find_and_replace_is_previewed_first(portal: Portal) -> None:
    path = sent(portal)
    fields = {"in": "Phone Number", "find": "O", "with": "0", "state": state_on(portal, f"{path}/corrections")}
    answer = with_worker(portal, lambda: apply(portal, path, "preview", dict(fields)))
    assert (answer.status_code, "1 row would change, and becomes right." in text_of(answer)) == (200, True)
    assert 'value="O"' in answer.get_data(as_text=True), "what was entered is kept"
    after = applied(portal, path, "replace", {**fields, "only": LETTER})
    assert "The value in Phone Number isn't a phone number. “O” replaced with “0” in Phone Number." in after
    assert "5 rows have errors" in after


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"find": "", "with": "0"}, "Enter the text to find."),
        ({"find": "O", "with": "O"}, "This is the text to find."),
        ({"find": "O", "with": "0", "only": VOICE}, "These rows have their error in another column than Phone Number."),
        ({"find": "O", "with": "0", "in": "No such"}, "is not a column of an upload"),
    ],
)
def test_a_replacement_that_cannot_be_meant_is_refused(portal: Portal, fields: dict[str, str], words: str) -> None:
    path = sent(portal)
    for do in ("preview", "replace"):
        answer = apply(portal, path, do, {"in": "Phone Number", **fields})
        assert (answer.status_code, words in text_of(answer)) == (422, True), text_of(answer)


def test_only_changed_cells_are_corrected(portal: Portal, api: Door) -> None:
    path = sent(portal)
    cells = grid_of(portal.get(f"{path}/corrections").get_data(as_text=True))
    assert cells["was-3-COUNTRY_CODE"] == ""
    cells |= {"cell-3-COUNTRY_CODE": "1", "cell-6-PHONE_NUMBER": "2125550104"}
    after = applied(portal, path, "cells", {**cells, "out": "7"})
    assert "2 cells changed by hand, in rows 3, 6. Left out: 1 row, in row 7." in after
    assert "3 rows changed" in after
    rows = {row["row"]: row for row in api.rows(path.rpartition("/")[2])}
    assert [rows[row]["code"] for row in (3, 6, 7)] == ["CREATED", "CREATED", "LEFT_OUT"]
    page = portal.get(f"{path}/corrections").get_data(as_text=True)
    assert "cell-3-" not in page
    assert "cell-5-" in page


def test_a_corrected_cell_is_shown_with_its_new_text(portal: Portal) -> None:
    path = sent(portal)
    applied(portal, path, "rules", {f"set-{COUNTRY}": "44"})
    page = portal.get(f"{path}/corrections").get_data(as_text=True)
    assert grid_of(page)["cell-5-COUNTRY_CODE"] == "44"
    assert 'title="In the file: empty"' in page


def test_corrections_are_taken_back(portal: Portal) -> None:
    path = sent(portal)
    applied(portal, path, "rules", {f"set-{COUNTRY}": "1"})
    answer = portal.post(f"{path}/corrections/1/take-back", {"state": state_on(portal, f"{path}/corrections")})
    assert (answer.status_code, urlsplit(answer.location).path) == (303, f"{path}/corrections")
    portal.work_off()
    said = text_of(portal.get(answer.location))
    assert "6 rows have errors" in said
    assert "Corrections made" not in said
    assert portal.post(f"{path}/corrections/1/take-back").status_code == 404


def test_what_was_entered_for_an_earlier_state_is_kept(portal: Portal, api: Door) -> None:
    path = sent(portal)
    seen = state_on(portal, f"{path}/corrections")
    cells = grid_of(portal.get(f"{path}/corrections").get_data(as_text=True)) | {"cell-6-PHONE_NUMBER": "2125550104"}
    job_id = path.rpartition("/")[2]
    rule = {"column": "Country Code", "code": "MISSING_VALUE", "set": "1"}
    api.done(api.post(f"/v1/jobs/{job_id}/corrections", {"rules": [rule]}))
    answer = apply(portal, path, "cells", {**cells, "state": seen})
    assert (answer.status_code, "The rows have changed since you opened this page" in text_of(answer)) == (412, True)
    assert grid_of(answer.get_data(as_text=True))["cell-6-PHONE_NUMBER"] == "2125550104"
    answer = apply(portal, path, "rules", {**BY_CAUSE, "state": seen})
    assert answer.status_code == 412
    page = answer.get_data(as_text=True)
    menu = re.search(rf'name="to-{VOICE}-1".*?</select>', page, re.DOTALL)
    assert menu is not None
    assert '<option value="TRUE" selected>' in menu[0]
    new = STATE.search(page)
    assert new is not None
    assert "Checking" in text_of(portal.get(apply(portal, path, "rules", {**BY_CAUSE, "state": new[1]}).location)), (
        "sent again, it is for the rows as shown"
    )
    late = portal.post(f"{path}/corrections", {**BY_CAUSE, "do": "rules", "state": new[1]})
    assert "The rows are being checked again" in toasts_of(portal.get(late.location))


def test_failed_rows_of_an_ended_upload_are_corrected(portal: Portal) -> None:
    path = sent(portal)
    portal.post(f"{path}/confirm", {"state": state_on(portal, path)})
    portal.work_off()
    page = portal.get(path)
    assert "Correct the failed rows" in text_of(page)
    answer = portal.post(f"{path}/retry")
    following = urlsplit(answer.location).path
    assert (answer.status_code, following != path) == (303, True)
    portal.work_off()
    said = text_of(portal.get(following))
    assert "6 rows have errors" in said
    assert "Correct the rows" in said
    applied(portal, following, "rules", {f"set-{COUNTRY}": "1"})
    assert portal.get(f"{path}/corrections").status_code == 303, "an ended job is not corrected itself"


def test_rows_are_shown_fifty_at_a_time(portal: Portal) -> None:
    rows = [list(sheets.HEADER), *(["", f"{2125550000 + row}", "TRUE", "FALSE", ""] for row in range(120))]
    path = sent(portal, rows)
    pages, at = [], f"{path}/corrections"
    for _ in range(3):
        page = portal.get(at).get_data(as_text=True)
        pages.append(page)
        link = re.search(r'rel="next" href="([^"]*)"', page)
        at = unescape(link[1]) if link else ""
    assert [len(re.findall(r'data-row-number="', page)) for page in pages] == [50, 50, 20]
    assert at == ""
    back = re.search(r'rel="prev" href="([^"]*)"', pages[2])
    assert back is not None
    assert 'data-row-number="52"' in portal.get(unescape(back[1])).get_data(as_text=True)
    first = re.search(r'rel="prev" href="([^"]*)"', pages[1])
    assert first is not None
    assert 'data-row-number="2"' in portal.get(unescape(first[1])).get_data(as_text=True)


def test_rows_of_one_error_only(portal: Portal) -> None:
    path = sent(portal)
    page = portal.get(f"{path}/corrections?code=TOO_SHORT&column=Phone Number").get_data(as_text=True)
    assert re.findall(r'data-row-number="(\d+)"', page) == ["7"]
    assert "Only rows whose first error is: " in page


def test_the_script_asks_what_would_become_right(portal: Portal) -> None:
    path = sent(portal)
    url, fields = f"{path}/corrections/preview", {f"set-{COUNTRY}": "1", "out-TOO_SHORT-PHONE_NUMBER": "1"}
    accept = {"Accept": "application/json"}
    answer = with_worker(portal, lambda: portal.post(url, dict(fields), headers=accept))
    assert answer.json == {
        "rules": {
            f"set-{COUNTRY}": "1 of 2 rows become right. The others have more errors.",
            "out-TOO_SHORT-PHONE_NUMBER": "1 row would be left out.",
        },
        "rows": {},
    }
    cells = {"was-3-COUNTRY_CODE": "", "cell-3-COUNTRY_CODE": "US", "was-7-VOICE": "TRUE", "cell-7-VOICE": "?"}
    answer = with_worker(portal, lambda: portal.post(url, cells, headers=accept))
    rows = answer.json["rows"]
    assert rows["3"] == {"right": True, "text": "Right now, as +12125550101. Not saved yet.", "fix": ""}
    assert rows["7"]["right"] is False
    assert "“?” in Voice is neither TRUE nor FALSE." in rows["7"]["text"]
    assert portal.post(url, {}, headers=accept).json == {"rules": {}, "rows": {}}


def test_rows_of_others_are_not_corrected(portal: Portal, world: World, database: sa.Engine) -> None:
    path = sent(portal)
    above = signed_in(database, world.master.tenant, work_off=portal.work_off)
    assert "Correct the rows" not in text_of(above.get(path))
    assert urlsplit(above.get(f"{path}/corrections").location).path == path
    for more in ("", "/preview", "/1/take-back"):
        above.post(f"{path}/corrections{more}", {"do": "rules", f"set-{COUNTRY}": "1"})
    south = signed_in(database, world.south.tenant, work_off=portal.work_off)
    for more in ("", "/preview", "/1/take-back"):
        answer = south.post(f"{path}/corrections{more}", {"do": "rules", f"set-{COUNTRY}": "1"})
        assert answer.status_code == 404
    assert south.post(f"{path}/retry").status_code == 404
    assert south.get(f"{path}/corrections").status_code == 404
    portal.work_off()
    assert "6 rows have errors" in text_of(portal.get(f"{path}/corrections"))


def test_columns_of_the_file_and_others(portal: Portal) -> None:
    """The grid names columns as we do and as the file does, and has those in which rows have errors."""
    rows = [["TN", "Voice", "SMS"], ["2125550100", "?", "FALSE"], ["+12125550101", "TRUE", ""]]
    path = sent(portal, rows)
    page = portal.get(f"{path}/corrections")
    assert "Phone Number in the file: TN" in text_of(page)
    assert "Country Code not in the file" in text_of(page)
    after = applied(portal, path, "cells", {"was-2-COUNTRY_CODE": "", "cell-2-COUNTRY_CODE": "US"})
    assert "1 cell changed by hand, in row 2." in after
    assert "Country Code is empty" not in text_of(portal.get(f"{path}/corrections"))


def test_many_different_values_have_one_control(portal: Portal) -> None:
    rows = [list(sheets.HEADER), *(["1", f"{2125550000 + row}", f"v{row}", "", ""] for row in range(9))]
    page = portal.get(f"{sent(portal, rows)}/corrections").get_data(as_text=True)
    assert f'name="set-{VOICE}"' in page
    assert f'name="to-{VOICE}-0"' not in page
    assert text_of(portal.get("/jobs")), "the session goes on"


def test_errors_that_no_text_corrects_can_only_be_left_out(portal: Portal, api: Door, world: World) -> None:
    api.as_(world.south.token).upload(sheets.csv_bytes(sheets.rows(1)))
    wide = ["1", "2125550001", "TRUE", "FALSE", "FALSE", "beyond"]
    path = sent(portal, [*sheets.rows(1), wide])
    page = portal.get(f"{path}/corrections").get_data(as_text=True)
    for key in ("NUMBER_EXISTS_ELSEWHERE-PHONE_NUMBER", "ROW_TOO_WIDE-NONE"):
        assert f'name="out-{key}"' in page
        assert f"set-{key}" not in page
        assert f"find-{key}" not in page
    out = {"out-NUMBER_EXISTS_ELSEWHERE-PHONE_NUMBER": "1", "out-ROW_TOO_WIDE-NONE": "1"}
    after = applied(portal, path, "rules", out)
    assert "Nothing can be imported" in after
    made = text_of(portal.get(f"{path}/corrections"))
    assert "The number is already taken on this platform. Rows left out." in made
    assert "No rows with errors are left" in made
    assert "Corrections made" in text_of(portal.get(path))


def test_companies_are_offered_by_name(portal: Portal) -> None:
    rows = [[*sheets.HEADER, "Enterprise"], ["1", "2125550100", "TRUE", "", "", "Nowhere"]]
    page = portal.get(f"{sent(portal, rows)}/corrections").get_data(as_text=True)
    menu = re.search(r'name="to-TARGET_NOT_FOUND-TARGET-0".*?</select>', page, re.DOTALL)
    assert menu is not None
    assert 'value="Clinic Enterprise"' in menu[0]


def test_cells_of_several_lines_are_not_changed_by_being_shown(portal: Portal) -> None:
    rows = [[*sheets.HEADER], ["1", "21255501\n0x", "TRUE", "FALSE", ""]]
    path = sent(portal, rows)
    cells = grid_of(portal.get(f"{path}/corrections").get_data(as_text=True))
    assert cells["cell-2-PHONE_NUMBER"] == "21255501 0x"
    assert apply(portal, path, "cells", cells).status_code == 422, "nothing is changed"


def test_a_review_that_expired_is_not_corrected(portal: Portal, database: sa.Engine) -> None:
    path = sent(portal)
    state = state_on(portal, f"{path}/corrections")
    with database.begin() as connection:
        connection.execute(jobs.update().values(review_until=sa.func.now() - sa.text("interval '1 minute'")))
    assert urlsplit(portal.get(f"{path}/corrections").location).path == path
    answer = apply(portal, path, "rules", {**BY_CAUSE, "state": state})
    assert answer.status_code == 303
    assert "This review has expired, so nothing was applied." in toasts_of(portal.get(path))


def test_a_confirmed_upload_is_not_corrected(portal: Portal) -> None:
    path = sent(portal)
    state = state_on(portal, f"{path}/corrections")
    portal.post(f"{path}/confirm", {"state": state_on(portal, path)})
    for more, fields in (("", {"do": "rules", f"set-{COUNTRY}": "1"}), ("/1/take-back", {})):
        answer = portal.post(f"{path}/corrections{more}", {"state": state, **fields})
        shown = portal.get(answer.location, follow_redirects=True)
        assert "This upload has been confirmed or cancelled, so nothing was applied." in toasts_of(shown)


def test_a_part_of_the_page_for_the_script(portal: Portal) -> None:
    """With htmx, the page that has the errors is a success: only then is the part replaced."""
    path = sent(portal)
    fields = {"do": "preview", "in": "Phone Number", "find": "", "state": state_on(portal, f"{path}/corrections")}
    answer = portal.post(f"{path}/corrections", fields, headers={"HX-Request": "true"})
    assert (answer.status_code, "Enter the text to find." in text_of(answer)) == (200, True)
    apply(portal, path, "rules", {f"set-{COUNTRY}": "1"})
    answer = portal.post(f"{path}/corrections", fields, headers={"HX-Request": "true"})
    assert urlsplit(answer.headers["HX-Redirect"]).path == f"{path}/corrections"


@pytest.mark.parametrize("query", ["cursor=x", "cursor=-1"])
def test_a_page_that_cannot_be(portal: Portal, query: str) -> None:
    assert portal.get(f"{sent(portal)}/corrections?{query}").status_code == 422


def test_a_page_after_the_last_row(portal: Portal) -> None:
    path = sent(portal)
    for query in ("cursor=100", "code=TOO_LONG&column=Nowhere"):
        assert "No rows with errors on this page." in text_of(portal.get(f"{path}/corrections?{query}"))
