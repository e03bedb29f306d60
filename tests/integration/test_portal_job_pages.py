"""What the pages of jobs say of failures, deletions, expired reviews and empty cells (R27, R28, R30)."""

from __future__ import annotations

import re
from collections import Counter

import pyarrow as pa
import pytest
import sqlalchemy as sa

from schemas import arrow_schemas
from schemas.codes import Code, fault_bit, number_of
from schemas.columns import Column, name_of
from tests.support.api_client import Door
from tests.support.files import sheets
from tests.support.portal_client import Portal, text_of
from worker.maintenance import rescuer

FIRST = 2125550100
COLUMNS = {name_of(column): column for column in Column}
SOUND = [["1", str(FIRST + step), "TRUE", "", ""] for step in range(3)]
FAULTY = [
    ["1", "2125550190", "maybe", "", ""],
    ["1", "2125550191", "TRUE", "perhaps", ""],
    ["1", "2125550192", "maybe", "", ""],
    ["", "2125550193", "TRUE", "", ""],
]


def csv(*rows: list[str], header: tuple[str, ...] = ("CC", "TN", "Voice", "SMS?", "Fax")) -> bytes:
    return sheets.csv_bytes([list(header), *rows])


def reviewed(api: Door, *rows: list[str]) -> str:
    """The address of the page of an upload under review."""
    return f"/jobs/{api.upload(csv(*rows), mode='review')['id']}"


def toast_at_the_end(portal: Portal, path: str) -> tuple[str, str]:
    """Confirm, and answer the tone and the text of what the open page is told at the end."""
    portal.post(f"{path}/confirm")
    portal.work_off()
    assert portal.get(f"{path}/live?seen=work").headers["HX-Refresh"] == "true"
    markup = portal.get(path).get_data(as_text=True)
    found = re.search(r'<div class="toast (\w+)".*?<p>(.*?)</p>', markup, re.DOTALL)
    assert found, markup
    return found[1], found[2]


def expire(database: sa.Engine) -> None:
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE jobs SET review_until = now() - interval '1 second'"))


# The tone of a confirmation (R30)


@pytest.mark.parametrize(
    ("rows", "tone", "text"),
    [
        (SOUND, "success", "finished: 3 created."),
        ([*SOUND, *FAULTY], "warning", "finished with errors: 3 created · 4 failed (7 rows)."),
        ([SOUND[0], SOUND[0]], "success", "finished: 1 created · 1 skipped (2 rows)."),
    ],
    ids=["all", "some", "repeated"],
)
def test_r30_only_what_went_well_is_confirmed_in_green(
    api: Door, portal: Portal, rows: list[list[str]], tone: str, text: str
) -> None:
    shown, said = toast_at_the_end(portal, reviewed(api, *rows))
    assert (shown, said.partition("csv ")[2]) == (tone, text)


@pytest.mark.long
def test_r30_a_job_that_did_nothing_says_so(api: Door, portal: Portal) -> None:
    path = reviewed(api, *SOUND)
    api.upload(csv(*SOUND), on_existing="skip")  # the same numbers, meanwhile
    tone, said = toast_at_the_end(portal, path)
    assert (tone, said.partition("csv ")[2]) == ("info", "finished; there was nothing to change: 3 skipped.")
    path = reviewed(api, *([row[0], f"{int(row[1]) + 10}", *row[2:]] for row in SOUND))
    api.upload(csv(*([row[0], f"{int(row[1]) + 10}", *row[2:]] for row in SOUND)))
    with_errors = toast_at_the_end(portal, path)
    assert with_errors[0] == "info"


# A deletion under review (R26)


def test_r26_the_review_of_a_deletion_looks_like_one(api: Door, portal: Portal) -> None:
    api.upload(csv(*SOUND))
    job = api.act("deletions", {"numbers": [f"+1{FIRST + step}" for step in range(3)], "mode": "review"})
    page = portal.get(f"/jobs/{job['id']}")
    markup, said = page.get_data(as_text=True), text_of(page)
    assert "Delete 3 numbers? Nothing has been deleted yet." in said
    assert re.search(r'<button class="button danger"[^>]*><span>Delete 3 numbers</span>', markup)
    assert '<section class="card verdict danger"' in markup
    assert '<rect class="warn"' in markup
    assert 'class="good"' not in markup
    assert 'class="badge good"' not in markup


# Causes by column


def test_causes_name_the_column_by_the_file_s_own_name(api: Door, portal: Portal) -> None:
    path = reviewed(api, *SOUND, *FAULTY)
    for confirmed in (False, True):
        if confirmed:
            toast_at_the_end(portal, path)
        page = portal.get(path)
        said = text_of(page)
        assert (
            "The value in Voice is neither TRUE nor FALSE. 2 rows, first in row 5 Enter TRUE or FALSE in Voice." in said
        )
        assert "The value in SMS is neither TRUE nor FALSE. 1 row, first in row 6" in said
        assert "Column: Voice" in said
        assert "Column: “SMS?” (SMS)" in said
        assert "Country Code is empty. 1 row, first in row 8" in said
        assert "Column: “CC” (Country Code)" in said
    links = re.findall(r'href="([^"#]+code=INVALID_BOOLEAN[^"#]*)', page.get_data(as_text=True))
    shown = [text_of(portal.get(link.replace("&amp;", "&"))).partition("Rows that failed")[2] for link in links]
    assert ["2125550190" in rows for rows in shown] == [True, False]
    assert ["2125550191" in rows for rows in shown] == [False, True]
    assert "Only rows with this reason in SMS. All columns" in shown[1]


def test_a_choice_for_all_rows_is_no_cell(api: Door, portal: Portal) -> None:
    """`_causes` names no column that the file does not have."""
    api.upload(csv(*SOUND))
    job = api.act("deletions", {"numbers": [f"+1{FIRST + 90}"], "mode": "review"})
    said = text_of(portal.get(f"/jobs/{job['id']}"))
    assert "The number is not in your inventory. 1 row" in said


def test_a_row_with_several_faults_has_one_cause(api: Door) -> None:
    """Of the first fault, as the row's own code and column; so the causes add up to the rows."""
    rows = api.rows(api.upload(csv(*SOUND, *FAULTY, ["", "", "maybe", "perhaps", "x"]))["id"], outcome="failed")
    codes = pa.array([number_of(Code(row["code"])) for row in rows], pa.uint8())
    faults = [[(fault["code"], fault["column"]) for fault in row["faults"]] for row in rows]
    bits = [sum(fault_bit(Code(code), COLUMNS[column or ""]) for code, column in some) for some in faults]
    table = pa.table({"row": [row["row"] for row in rows], "code": codes, "faults": pa.array(bits, pa.uint64())})
    table = table.append_column("warnings", pa.array([0] * len(rows), pa.uint32()))
    counted = arrow_schemas.causes(table)
    assert Counter((row["code"], row["column"]) for row in rows) == {
        (code, name_of(column)): seen.count for (_, code, column), seen in counted.items()
    }
    at_voice = arrow_schemas.has_first_fault_at(table.column("faults").to_numpy(), Column.VOICE)
    assert [row["column"] == "Voice" for row in rows] == at_voice.tolist()


# A review that has expired


@pytest.mark.parametrize("swept", [False, True], ids=["not noticed yet", "ended"])
def test_r27_confirming_an_expired_review_says_so_and_how_to_go_on(
    api: Door, portal: Portal, database: sa.Engine, swept: bool
) -> None:
    path = reviewed(api, *SOUND)
    shown = portal.get(path)
    assert "Import 3 numbers" in text_of(shown)
    expire(database)
    if swept:
        rescuer.rescue()
        portal.work_off()
    answer = portal.post(f"{path}/confirm")
    assert answer.status_code == 303
    page = portal.get(answer.location)
    said = text_of(page)
    assert "This review has expired. Nothing was imported. To import the file, check it again." in said
    again = f"{path}/columns"
    assert f'<a href="{again}">Check the file again</a>' in page.get_data(as_text=True)
    assert portal.get(again).status_code == 200
    for wrong in ("stopped", "It is being", "Stopping", "Finishing the current batch"):
        assert wrong not in said
    assert f'action="{path}/confirm"' not in page.get_data(as_text=True)
    assert api.get("/v1/numbers").json["data"] == []


@pytest.mark.long
def test_an_expired_review_is_called_expired_while_it_ends(api: Door, portal: Portal, database: sa.Engine) -> None:
    path = reviewed(api, *SOUND)
    expire(database)
    rescuer.rescue()
    said = text_of(portal.get(path))
    assert "Expired This review has expired. Nothing was imported." in said
    portal.work_off()
    assert "This review has expired. Nothing was imported" in text_of(portal.get(path))
    assert "Expired" in text_of(portal.get("/jobs"))
    part = portal.get(f"{path}/live?seen=stopping")
    assert part.headers["HX-Refresh"] == "true"
    assert "was not confirmed in time. Nothing was imported." in text_of(portal.get(path))


@pytest.mark.long
def test_an_expired_deletion_leads_to_the_numbers(api: Door, portal: Portal, database: sa.Engine) -> None:
    api.upload(csv(*SOUND))
    job = api.act("deletions", {"numbers": [f"+1{FIRST}"], "mode": "review"})
    expire(database)
    page = portal.get(portal.post(f"/jobs/{job['id']}/confirm").location)
    assert "This review has expired. Nothing was deleted. Select the numbers again to continue." in text_of(page)
    assert '<a href="/numbers">Go to Phone Numbers</a>' in page.get_data(as_text=True)


# Times


def test_times_say_that_they_are_in_utc(api: Door, portal: Portal) -> None:
    """A script replaces the text by the time in the reader's zone (`tests/browser/test_frame.py`)."""
    api.upload(csv(*SOUND))
    markup = portal.get("/jobs").get_data(as_text=True)
    found = re.findall(r'<time datetime="(\S+)\+00:00" data-time>(\S+) (\S+) UTC</time>', markup)
    assert found
    assert all(at.startswith(f"{day}T{hour}") for at, day, hour in found)


# Empty cells


def test_empty_cells_stay_in_their_column(api: Door, portal: Portal) -> None:
    path = reviewed(api, ["", "+12125550100", "TRUE", "", ""], ["1", "2125550101", "", "TRUE", ""])
    markup = portal.get(f"{path}?outcome=all").get_data(as_text=True)
    preview, rows = markup.partition('id="first"')[2].split('id="rows"')
    columns = re.findall(r"<th scope=\"col\">(.*?)</th>", preview)
    assert columns == ["Row", "CC", "TN", "Number", "Expected result"]
    cells = re.findall(r'<td data-label="(CC|TN)"><span class="cell-text">(.*?)</span></td>', preview)
    assert [(name, re.sub("<[^>]*>", "", text)) for name, text in cells] == [
        ("CC", "–empty"),
        ("TN", "+12125550100"),
        ("CC", "1"),
        ("TN", "2125550101"),
    ]
    assert re.sub("<[^>]*>", " ", rows).count("empty") == 5
