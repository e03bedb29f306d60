"""What the columns of people's files mean: other names, several alike, ends and sizes of blocks (R10, R14, R14e)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.codes import Code
from schemas.columns import UPLOAD_FORM, Column, Form, recognise, tentative
from schemas.job_kinds import JOB_KINDS, JobKind
from tests.support.files.sheets import csv_bytes, xlsx_bytes
from worker.stages.read import FileFacts, FileFault, Limits, ReadOptions, RowBatch, read

LIMITS = Limits(1 << 24, 200_000, 20, 2000, 1 << 26, 1 << 30, 30)
HEADER = ["Country Code", "Phone Number", "Voice", "SMS", "Fax"]
CAPABILITIES = ["TRUE", "FALSE", "FALSE"]


def got(
    content: bytes, folder: Path, form: Form = UPLOAD_FORM, limits: Limits = LIMITS
) -> tuple[FileFacts, list[RowBatch]]:
    """What was decided about a file once all of it had been read, and its rows."""
    path = folder / "upload"
    path.write_bytes(content)
    with read(path, limits, workdir=folder, form=form) as sheet:
        batches = list(sheet.batches())
    return sheet.facts, batches


def blocks(rows: Sequence[tuple[str, str]], name: str = "To", country: str = "1") -> bytes:
    """A file in which each row has a number, and a value in a column of that name."""
    return csv_bytes([[*HEADER, name], *([country, number, *CAPABILITIES, value] for number, value in rows)])


# Country Code (R14)
@pytest.mark.parametrize("build", [csv_bytes, xlsx_bytes])
def test_no_country_code_is_needed_for_international_numbers(tmp_path: Path, build: object) -> None:
    table = [["Phone Number", "Voice", "SMS"], ["+12125550142", "TRUE", "FALSE"]]
    content = csv_bytes(table) if build is csv_bytes else xlsx_bytes(table)
    facts, _ = got(content, tmp_path)
    assert facts.mapping == {Column.PHONE_NUMBER: 0, Column.VOICE: 1, Column.SMS: 2}
    assert (facts.ignored_columns, facts.notes) == ((), ())


@pytest.mark.parametrize("header", [["TelephoneNumber"], ["Phone Number", "Name"], ["E.164", "Status", "City"]])
def test_capabilities_are_needed_and_the_country_code_is_not(tmp_path: Path, header: list[str]) -> None:
    with pytest.raises(FileFault) as caught:
        got(csv_bytes([header, ["+12125550142"] * len(header)]), tmp_path)
    assert caught.value.code is Code.MISSING_COLUMN
    assert caught.value.context["missing"] == ["Voice", "SMS"]
    assert caught.value.detail.startswith("The columns are missing: “Voice”, “SMS”.")
    assert caught.value.detail.endswith("Numbers that begin with + or 00 are understood without a Country Code.")


def test_nothing_is_said_of_the_country_where_it_is_there(tmp_path: Path) -> None:
    with pytest.raises(FileFault) as caught:
        got(csv_bytes([["Country", "Number", "Voice"], ["1", "2125550142", "x"]]), tmp_path)
    assert "without a Country Code" not in caught.value.detail


def test_without_a_header_the_country_code_still_comes_first(tmp_path: Path) -> None:
    """Columns without names are understood in the order of the sample only; it begins with the country."""
    facts, _ = got(csv_bytes([["1", "2125550142", "TRUE", "FALSE"]]), tmp_path)
    assert list(facts.mapping) == [Column.COUNTRY_CODE, Column.PHONE_NUMBER, Column.VOICE, Column.SMS]
    with pytest.raises(FileFault) as caught:
        got(csv_bytes([["2125550142", "TRUE", "FALSE"]]), tmp_path)
    assert caught.value.code is Code.NO_HEADER


# Names
@pytest.mark.parametrize(
    ("name", "column"),
    [
        *[
            (name, Column.END_NUMBER)
            for name in ("EndingNumber", "End TN", "Last Number", "Ending Number", "To Number")
        ],
        *[(name, Column.END_NUMBER) for name in ("Ending Number", "LastTN", "Bis-Rufnummer", "Letzte Rufnummer")],
        *[(name, Column.BLOCK_SIZE) for name in ("Block Size", "BlockSize", "Blockgröße", "Anzahl Rufnummern")],
        *[(name, Column.PHONE_NUMBER) for name in ("TelephoneNumber", "StartNumber", "Starting Number", "E-164")],
        *[(name, None) for name in ("To", "Bis", "Quantity", "Count", "Number of seats", "End date", "Size")],
    ],
)
def test_names(name: str, column: Column | None) -> None:
    assert recognise(name) == column


def test_what_is_tentative_is_so_in_uploads_only() -> None:
    assert (tentative("Bis"), tentative("qty"), tentative("Country")) == (Column.END_NUMBER, Column.BLOCK_SIZE, None)
    assert tentative("Bis", JOB_KINDS[JobKind.CHANGE].form) is None


# Several columns that mean the same
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("exact", "other", "value"),
    [
        ("Country Code", "Country", "United States"),
        ("Phone Number", "Number", "7"),
        ("PHONE_NUMBER", "Rufnummer", "2125550199"),
        ("SMS", "Text", "a remark"),
    ],
)
def test_the_exact_name_wins_over_others(tmp_path: Path, exact: str, other: str, value: str, first: bool) -> None:
    """Cases 09a to 09c: wherever it is, and the job says so."""
    header = [exact if name.casefold() == exact.casefold().replace("_", " ") else name for name in HEADER]
    row = ["1", "2125550142", *CAPABILITIES]
    table = [[other, *header], [value, *row]] if first else [[*header, other], [*row, value]]
    facts, _ = got(csv_bytes(table), tmp_path)
    column = recognise(exact)
    assert column is not None
    assert facts.columns[facts.mapping[column]] == exact
    assert facts.ignored_columns == (other,)
    assert facts.notes == (f"“{exact}” was read as {HEADER[column - 1]}; “{other}” was ignored.",)


@pytest.mark.parametrize("others", [["Phone Number"], ["phone_number", "DID"]])
def test_two_exact_names_are_refused(tmp_path: Path, others: list[str]) -> None:
    with pytest.raises(FileFault) as caught:
        got(csv_bytes([[*HEADER, *others], ["1", "2125550142", *CAPABILITIES, *others]]), tmp_path)
    assert caught.value.code is Code.DUPLICATE_COLUMN
    assert "“Phone Number” occurs 2 times" in caught.value.detail
    assert caught.value.context["found"] == ["Phone Number", *others]


def test_names_that_are_listed_are_as_many_as_are_counted(tmp_path: Path) -> None:
    header = [*HEADER, "TN", "phone number", "DID"]
    with pytest.raises(FileFault) as caught:
        got(csv_bytes([header, ["1", "2125550142", *CAPABILITIES, "x", "y", "z"]]), tmp_path)
    assert caught.value.detail == "The column “Phone Number” occurs 2 times: “Phone Number”, “phone number”."


@pytest.mark.parametrize(
    ("rows", "row_number", "text"),
    [
        ([["+12125550142"]], None, "The first row has no column names: “+12125550142”."),
        ([[""], [""], ["+12125550142"]], None, "Row 3 has no column names: “+12125550142”."),
        ([HEADER, ["1", "2125550142", *CAPABILITIES]], 2, "Row 2 has no column names: “1”, “2125550142”"),
    ],
)
def test_the_row_that_has_no_column_names_is_the_one_tested(
    tmp_path: Path, rows: list[list[str]], row_number: int | None, text: str
) -> None:
    (tmp_path / "upload").write_bytes(csv_bytes(rows))
    hints = ReadOptions(header_row=row_number)
    with pytest.raises(FileFault) as caught, read(tmp_path / "upload", LIMITS, workdir=tmp_path, hints=hints):
        pass
    assert caught.value.code is Code.NO_HEADER
    assert caught.value.detail.startswith(text)


def test_two_other_names_are_refused_and_the_fix_is_told(tmp_path: Path) -> None:
    header = ["Country Code", "Telefon", "Voice", "SMS", "Rufnummer"]
    with pytest.raises(FileFault) as caught:
        got(csv_bytes([header, ["1", "2125550142", "x", "", "2125550143"]]), tmp_path)
    assert caught.value.code is Code.DUPLICATE_COLUMN
    assert "“Telefon”, “Rufnummer”. Rename the right one to “Phone Number”." in caught.value.detail


def test_a_suggestion_names_a_missing_column_first(tmp_path: Path) -> None:
    """Case 11."""
    with pytest.raises(FileFault) as caught:
        got(csv_bytes([["Country Code", "DID Number", "Voice", "SMS"], ["1", "2125550142", "x", ""]]), tmp_path)
    assert "“DID Number” is not recognized; did you mean “Phone Number”?" in caught.value.detail


# Columns whose values decide (R14e)
@pytest.mark.parametrize(
    ("rows", "numbers"),
    [
        ([("2125550100", "2125550109")], 10),
        ([("2125550100", "09"), ("2125550200", "")], 10),
        ([("212 555-0100", "(212) 555 0109"), ("2125550200", "2125550299")], 110),
        ([("+12125550100", "0109"), ("2125550100.0", "")], 10),
        ([('="2125550100"', '="2125550109"')], 10),
        ([("2125550100", "2125550109"), ("2125550100", "2125550109")], 20),  # twice the same row (R16)
        ([("2125550100", "9"), ("n/a", "2125550109"), ("", "7")], 10),  # rows that fail in any case
    ],
)
@pytest.mark.parametrize("name", ["To", "bis", "Jusqu'à"])
def test_a_column_of_ends_is_taken_as_such(
    tmp_path: Path, rows: list[tuple[str, str]], numbers: int, name: str
) -> None:
    """Case 10b."""
    facts, _ = got(blocks(rows, name), tmp_path)
    assert facts.mapping[Column.END_NUMBER] == 5
    assert facts.ignored_columns == ()
    (note,) = facts.notes
    assert note.startswith(f"“{name}” was read as End Number: ")
    assert note.endswith(f" for {numbers} numbers.")


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([("2125550100", "Boston")], "“Boston” in row 2 can't be the end of a block that starts at the Phone Number."),
        ([("2125550100", "09"), ("2125550200", "2125550199")], "“2125550199” in row 3 can't be the end of a block"),
        ([("2125550150", "49")], "“49” in row 2 can't be the end of a block"),
        (
            [("2125550100", "9175550123")],
            "“9175550123” in row 2 can't be the end of a block",
        ),  # where calls are forwarded to
        ([("2125550100", "12125550109")], "“12125550109” in row 2 can't be the end of a block"),
        (
            [("2125550100", "2125560199")],
            "“2125560199” in row 2 can't be the end of a block",
        ),  # larger than a block may be
        ([("2125550100", "01-31")], "“01-31” in row 2 can't be the end of a block"),
        ([("2125550100", "2024-01-31")], "“2024-01-31” in row 2 can't be the end of a block"),
        ([("2125550100", "2125550109"), ("2125550105", "")], "the blocks of rows 2 and 3 would overlap."),
        ([("2125550105", "2125550109"), ("2125550100", "2125550105")], "the blocks of rows 2 and 3 would overlap."),
    ],
)
def test_a_column_of_other_things_is_ignored_and_said(tmp_path: Path, rows: list[tuple[str, str]], why: str) -> None:
    facts, _ = got(blocks(rows), tmp_path)
    assert Column.END_NUMBER not in facts.mapping
    assert facts.ignored_columns == ("To",)
    (note,) = facts.notes
    assert note.startswith(f"“To” was not read as End Number: {why}")


@pytest.mark.parametrize("name", ["Quantity", "qty", "Count", "Anzahl", "Size"])
def test_a_column_of_sizes_is_taken_as_such(tmp_path: Path, name: str) -> None:
    facts, _ = got(blocks([("2125550100", "10"), ("2125550110", "1"), ("2125550200", "100.0")], name), tmp_path)
    assert facts.mapping[Column.BLOCK_SIZE] == 5
    assert facts.notes == (f"“{name}” was read as Block Size: 2 rows stand for 110 numbers.",)


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        (["10", "0"], "“0” in row 3 can't be the size of a block."),
        (["10", "10001"], "“10001” in row 3 can't be the size of a block."),
        (["10", "1.5"], "“1.5” in row 3 can't be the size of a block."),
        (["10", "-2"], "“-2” in row 3 can't be the size of a block."),
        (["10", "large"], "“large” in row 3 can't be the size of a block."),
        (["10", "1"], "the blocks of rows 2 and 3 would overlap."),
        (["1", "1"], ""),
        (["", ""], ""),
    ],
)
def test_a_column_of_other_counts_is_ignored(tmp_path: Path, sizes: list[str], why: str) -> None:
    """All ones say nothing, so nothing is said of them."""
    facts, _ = got(blocks(list(zip(("2125550100", "2125550109"), sizes, strict=True)), "Count"), tmp_path)
    assert Column.BLOCK_SIZE not in facts.mapping
    assert facts.notes == ((f"“Count” was not read as Block Size: {why}",) if why else ())


def test_the_largest_block_is_a_setting(tmp_path: Path) -> None:
    content = blocks([("2125550100", "2125550199")])
    assert Column.END_NUMBER in got(content, tmp_path, limits=replace(LIMITS, block=100))[0].mapping
    assert Column.END_NUMBER not in got(content, tmp_path, limits=replace(LIMITS, block=99))[0].mapping


def test_the_same_digits_in_two_countries_do_not_overlap(tmp_path: Path) -> None:
    table = [[*HEADER, "To"], ["1", "2125550100", *CAPABILITIES, "09"], ["44", "2125550105", *CAPABILITIES, ""]]
    assert Column.END_NUMBER in got(csv_bytes(table), tmp_path)[0].mapping


@pytest.mark.parametrize("named", ["End Number", "Block Size"])
def test_nothing_is_tentative_beside_a_column_that_gives_the_blocks(tmp_path: Path, named: str) -> None:
    table = [[*HEADER, named, "Count", "To"], ["1", "2125550100", *CAPABILITIES, "", "10", "09"]]
    facts, _ = got(csv_bytes(table), tmp_path)
    assert facts.mapping.keys() & {Column.END_NUMBER, Column.BLOCK_SIZE} == {recognise(named)}
    assert (facts.ignored_columns, facts.notes) == (("Count", "To"), ())


@pytest.mark.parametrize(("count", "agree"), [("10", True), ("11", False), ("", False)])
def test_two_columns_have_to_agree(tmp_path: Path, count: str, agree: bool) -> None:
    rows = [["1", "2125550100", *CAPABILITIES, "09", count], ["1", "2125550200", *CAPABILITIES, "2125550201", "2"]]
    facts, _ = got(csv_bytes([[*HEADER, "To", "Count"], *rows]), tmp_path)
    assert (Column.END_NUMBER in facts.mapping) is agree
    assert Column.BLOCK_SIZE not in facts.mapping
    if not agree:
        assert facts.notes[0] == "“To” was not read as End Number: “To” and “Count” do not agree in row 2."


def test_the_decision_is_the_whole_file_s(tmp_path: Path) -> None:
    """R29: the last of many batches decides as well as the first, and reading again decides the same."""
    rows = [(f"{2125000000 + 10 * row}", "9") for row in range(10_000)]
    small = replace(LIMITS, batch_rows=500)
    facts, batches = got(blocks(rows), tmp_path, limits=small)
    assert len(batches) >= 20
    assert facts.notes == ("“To” was read as End Number: 10,000 rows stand for 100,000 numbers.",)
    wrong = [*rows[:-1], (rows[-1][0], "Boston")]
    facts, _ = got(blocks(wrong), tmp_path, limits=small)
    assert facts.notes == (
        (
            "“To” was not read as End Number: "
            "“Boston” in row 10,001 can't be the end of a block that starts at the Phone Number."
        ),
    )
    overlapping = [*rows[:-1], (rows[0][0], "")]
    facts, _ = got(blocks(overlapping), tmp_path, limits=small)
    assert facts.notes == ("“To” was not read as End Number: the blocks of rows 2 and 10,001 would overlap.",)


def test_reading_twice_decides_the_same(tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(blocks([("2125550100", "09")]))
    with read(tmp_path / "upload", LIMITS, workdir=tmp_path) as sheet:
        facts = []
        for _ in range(2):
            list(sheet.batches())
            facts.append(sheet.facts)
    assert facts[0] == facts[1]


def test_other_forms_have_no_blocks(tmp_path: Path) -> None:
    facts, _ = got(blocks([("2125550100", "09")]), tmp_path, form=JOB_KINDS[JobKind.DELETE].form)
    assert facts.mapping.keys() == {Column.COUNTRY_CODE, Column.PHONE_NUMBER}


# Rows that say nothing
@pytest.mark.parametrize("build", [csv_bytes, xlsx_bytes])
def test_rows_of_unticked_boxes_are_blank(tmp_path: Path, build: object) -> None:
    """Case 13: in any column that is no part of a number or a name, in any language."""
    table = [
        [*HEADER, "Active", "Customer"],
        ["1", "2125550142", *CAPABILITIES, "FALSE", ""],
        ["", "", "FALSE", "FALSE", "FALSE", "FALSE", ""],
        ["", " ", "falsch", "0", "", "Faux", ""],
        ["", "", "FALSE", "TRUE", "", "", ""],
        ["", "", "FALSE", "", "", "", "Acme"],
        ["FALSE", "", "", "", "", "", ""],
        ["", "0", "", "", "", "", ""],
    ]
    content = csv_bytes(table) if build is csv_bytes else xlsx_bytes(table)
    _, (batch,) = got(content, tmp_path)
    assert batch.blank.tolist() == [False, True, True, False, False, False, False]


def test_a_file_of_unticked_boxes_is_empty(tmp_path: Path) -> None:
    rows = [["", "", "FALSE", "FALSE", "FALSE"]] * 70_000
    with pytest.raises(FileFault) as caught:
        got(csv_bytes([HEADER, *rows]), tmp_path)
    assert caught.value.code is Code.EMPTY_FILE
    _, batches = got(csv_bytes([HEADER, *rows, ["1", "2125550142", *CAPABILITIES]]), tmp_path)
    assert [int(batch.blank.sum()) for batch in batches][-1] < len(batches[-1].blank)
