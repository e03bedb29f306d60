"""A review says what would happen, and never that it did: rows, reports, workbooks and pages (R28, R30)."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable

import pytest
from openpyxl import load_workbook

from schemas.codes import CATALOGUE, PREVIEW, WORDS, Code, Family, Fault, Outcome, in_general, text_of
from schemas.columns import Column
from tests.support.api_client import Door, Json
from tests.support.factories import World
from tests.support.files import sheets
from tests.support.portal_client import Portal
from tests.support.portal_client import text_of as words_of

FIRST = 12_125_550_100
HAPPENED = re.compile(
    r"\b(was|were) (added|changed|assigned|unassigned|taken|deleted|put|restored|written|left|set|used|stopped)\b"
    r"|Expected: \d+ \w+ was"
)
WRITES = frozenset({Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED})


def lines(*numbers: int) -> list[list[str]]:
    return [["1", str(number), "TRUE", "TRUE", "FALSE"] for number in numbers]


def csv(*rows: list[str]) -> bytes:
    return sheets.csv_bytes([list(sheets.HEADER), *rows])


BLOCKS = sheets.csv_bytes(
    [
        [*sheets.HEADER, "End Number"],
        ["1", str(FIRST + 40), "TRUE", "", "", str(FIRST + 44)],
        ["1", "2", "", "", "", ""],
    ]
)


def upload(content: bytes, **fields: str) -> Callable[[Door, World], Json]:
    return lambda api, _world: api.upload(content, mode="review", **fields)


def act(action: str, **more: object) -> Callable[[Door, World], Json]:
    def send(api: Door, world: World) -> Json:
        clinic = world.clinic.tenant.public_id
        body = {name: clinic if value == "clinic" else value for name, value in more.items()}
        return api.act(action, {"numbers": [f"+{FIRST}", f"+{FIRST + 1}"], "mode": "review", **body})

    return send


JOBS: dict[str, tuple[Callable[[Door, World], Json], set[str]]] = {
    "new numbers": (
        upload(csv(*lines(FIRST + 20, FIRST + 21, FIRST + 20, FIRST, 212))),
        {"CREATED", "DEFAULT_CARRIER_USED"},
    ),
    "existing numbers": (
        upload(csv(["1", str(FIRST), "TRUE", "FALSE", "TRUE"]), on_existing="update"),
        {"UPDATED"},
    ),
    "all or nothing": (upload(csv(*lines(FIRST + 30, 212)), on_error="abort"), {"ABORTED"}),
    "blocks": (upload(BLOCKS), {"CREATED"}),
    "assignment": (act("assignments", tenant_id="clinic"), {"ASSIGNED"}),
    "expected elsewhere": (
        act("assignments", tenant_id="clinic", expected_holder_id="clinic"),
        {"CHANGED_SINCE"},
    ),
    "capabilities": (act("capability-changes", fax="enable"), {"UPDATED"}),
    "deletion": (act("deletions"), {"DELETED"}),
}


@pytest.mark.long
@pytest.mark.parametrize(("make", "codes"), JOBS.values(), ids=JOBS)
def test_a_review_says_what_would_happen(
    api: Door, portal: Portal, world: World, make: Callable[[Door, World], Json], codes: set[str]
) -> None:
    api.upload(csv(*lines(FIRST, FIRST + 1)))
    job = make(api, world)
    assert job["status"] == "review"
    rows = api.rows(job["id"])
    assert codes <= {code for row in rows for code in (row["code"], *row["warnings"])}
    for row in rows:
        assert not HAPPENED.search(row["message"]), row
        if CATALOGUE[Code(row["code"])].outcome in WRITES:
            assert "would be" in row["message"], row
    report = api.get(f"/v1/jobs/{job['id']}/report.csv")
    assert "-review-all.csv" in report.headers["Content-Disposition"]
    for text in (report.get_data(as_text=True), str(api.report_lines(job["id"]))):
        assert not HAPPENED.search(text)
        assert all(row["message"] in text for row in rows)
    page = words_of(portal.get(f"/jobs/{job['id']}?outcome=all"))
    assert "Expected: " in page
    assert not HAPPENED.search(page)
    if any("DEFAULT_CARRIER_USED" in row["warnings"] for row in rows):
        assert "The default carrier would be used." in page


def test_the_review_of_an_action_speaks_of_no_file(api: Door, portal: Portal, world: World) -> None:
    """Its rows were chosen, not uploaded: there is nothing to correct and upload again."""
    api.upload(csv(*lines(FIRST)))
    job = act("deletions")(api, world)
    page = words_of(portal.get(f"/jobs/{job['id']}"))
    assert "Delete 1 number? 1 row has errors" in page
    assert "Rows with errors will be skipped. The report lists them." in page
    assert "upload them again" not in page
    assert "After the import" not in page


def test_the_workbook_of_a_review_says_what_would_happen(api: Door, world: World) -> None:
    job = upload(csv(*lines(FIRST, 212)))(api, world)
    answer = api.get(f"/v1/jobs/{job['id']}/report.xlsx", query_string={"rows": "all"})
    book = load_workbook(io.BytesIO(answer.data))
    summary = [[cell.value for cell in row[:2]] for row in book["Summary"].iter_rows()]
    assert ["created", 1] in summary
    assert ["unprocessed", 0] in summary
    assert any("Nothing is written yet" in str(value) for _, value in summary)
    text = " ".join(str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row)
    assert "would be added" in text
    assert not HAPPENED.search(text)


@pytest.mark.parametrize("confirmed", [True, False])
def test_after_the_decision_it_says_what_happened(api: Door, portal: Portal, world: World, confirmed: bool) -> None:
    """A cancelled review has written nothing, and does not speak of what would be, either."""
    job = upload(csv(*lines(FIRST, 212)))(api, world)
    api.post(f"/v1/jobs/{job['id']}/{'confirm' if confirmed else 'cancel'}", {})
    api.work_off()
    first, second = api.rows(job["id"])
    assert first["message"] == ("The number was added." if confirmed else "The job was stopped before this row.")
    assert (first["code"], second["code"]) == ("CREATED" if confirmed else "CANCELLED", "TOO_SHORT")
    report = api.get(f"/v1/jobs/{job['id']}/report.csv")
    assert "would" not in report.get_data(as_text=True)
    assert "-review-" not in report.headers["Content-Disposition"]
    page = words_of(portal.get(f"/jobs/{job['id']}?outcome=all"))
    for text in ("The number was added.", "The default carrier was used."):
        assert (text in page) is confirmed
    assert "would be" not in page.lower()


# Codes of rows whose words speak of the past under review, too, and why that is true there.
TRUE_BEFORE = {
    Code.CARRIER_MISSING: "the choice beside the file",
    Code.INTERNAL_ERROR: "the check failed",
    Code.PLUS_RESTORED: "how the cell was read",
    Code.SCIENTIFIC_RESTORED: "how the cell was read",
    Code.FLOAT_SUFFIX_REMOVED: "how the cell was read",
    Code.INVISIBLE_REMOVED: "how the cell was read",
    Code.TRUNK_PREFIX_REMOVED: "how the cell was read",
    Code.COUNTRY_CODE_REPEATED: "how the cell was read",
    Code.LETTERS_CONVERTED: "how the cell was read",
    Code.READ_AS_NATIONAL: "how the cell was read",
    Code.SCIENTIFIC_NOTATION_LOSS: "what the spreadsheet program did",
    Code.CANCELLED: "no row has this code before a decision",
    Code.LEFT_OUT: "done during the review",
    Code.CORRECTED: "done during the review",
}
# Codes of rows whose words say how things are, which is so before and after.
PRESENT = frozenset(
    {
        Code.NO_CHANGE,
        Code.DUPLICATE_IN_FILE,
        Code.ALREADY_EXISTS,
        Code.BLANK_ROW,
        Code.ROW_TOO_WIDE,
        Code.MISSING_VALUE,
        Code.INVALID_COUNTRY_CODE,
        Code.INVALID_CHARACTER,
        Code.TOO_SHORT,
        Code.TOO_LONG,
        Code.COUNTRY_MISMATCH,
        Code.INVALID_NUMBER,
        Code.INVALID_RANGE,
        Code.INVALID_BOOLEAN,
        Code.CONFLICTING_DUPLICATE,
        Code.NO_CAPABILITY,
        Code.NUMBER_EXISTS_ELSEWHERE,
        Code.NOT_FOUND,
        Code.ASSIGNED_IN_USE,
        Code.NOT_UPLOADER,
        Code.CAPABILITY_REQUIRED,
        Code.CARRIER_NOT_FOUND,
        Code.TARGET_NOT_FOUND,
        Code.EXTERNAL_NOT_ALLOWED,
        Code.AMBIGUOUS_NUMBER,
        Code.POSSIBLE_NOT_VALID,
        Code.REGION_DIFFERS,
    }
)
PAST = re.compile(r"\b(was|were|been|had|did|went)\b")


def code_of(key: Code | Fault) -> Code:
    return key.code if isinstance(key, Fault) else key


def test_no_code_is_without_words_for_a_review() -> None:
    """A new code of rows fails here: give it words in `PREVIEW`, or say why its own are true under review."""
    rows = {code for code, entry in CATALOGUE.items() if entry.family is not Family.FILE}
    previewed = {code_of(key) for key in PREVIEW}
    assert Counter([*previewed, *TRUE_BEFORE, *PRESENT]) == Counter(rows)
    for code in rows - set(TRUE_BEFORE):
        is_write = CATALOGUE[code].outcome in WRITES
        assert code in PREVIEW or not is_write
        for column in Column:
            words = text_of(code, column, preview=True)
            assert words.fix == text_of(code, column).fix
            for message in (words.message, in_general(code, preview=True).message):
                assert not is_write or "would be" in message
                assert code in previewed or not PAST.search(message)


def test_words_for_a_review_are_not_those_of_the_end() -> None:
    for key, message in PREVIEW.items():
        own = text_of(key.code, key.column) if isinstance(key, Fault) else text_of(key)
        assert message != own.message
        assert "would be" in message
        assert not HAPPENED.search(message)
    for key in WORDS:
        assert key in PREVIEW or key.code not in PREVIEW, "the words of its column are lost under review"
