"""Which column of a file is which, as its uploader states it (R31) or an import profile (R32): the reader alone."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
import xlsxwriter
from pydantic import ValidationError

from schemas.codes import Code
from schemas.column_mapping import ColumnMapping, value_key
from schemas.columns import Column
from schemas.http.mapping import MappingBody
from schemas.http.resources import UploadForm
from tests.support.files.read_files import LIMITS, got, refused
from worker.stages.read import MatchingProfile, ReadOptions, UnsettledTableError, read

FILE = b"TN,Kind,Kind,Note\n+12125550142,Y,N,a\n+12125550143,N,Y,b\n"
NUMBER = {"Phone Number": "tn"}


def mapped(raw: dict[str, object], header_row: int | None = None) -> ReadOptions:
    return ReadOptions(mapping=ColumnMapping.from_json(raw), header_row=header_row)


def test_columns_by_name_and_by_number_constants_and_values(tmp_path: Path) -> None:
    raw = {
        "columns": {**NUMBER, "Voice": 2, "SMS": 3, "Fax": None},
        "constants": {"Country Code": "US"},
        "values": {"Voice": {" Y ": "TRUE"}},
    }
    facts, rows = got(FILE, tmp_path, mapped(raw))
    assert facts.mapping == {Column.PHONE_NUMBER: 0, Column.VOICE: 1, Column.SMS: 2}
    assert facts.constants == {Column.COUNTRY_CODE: "US"}
    assert facts.values == {Column.VOICE: {"y": "TRUE"}}
    assert (facts.numbers, facts.ignored_columns) == ((1, 2, 3, 4), ("Note",))
    assert rows.cells[0] == ["+12125550142", "Y", "N", "a"]


def test_one_column_feeds_several(tmp_path: Path) -> None:
    facts, _ = got(FILE, tmp_path, mapped({"columns": {"Voice": 2, "SMS": 2}}))
    assert facts.mapping[Column.VOICE] == facts.mapping[Column.SMS] == 1


def test_a_column_of_a_report_keeps_its_number(tmp_path: Path) -> None:
    """Columns that begin with an underscore are left out, but they count."""
    facts, _ = got(b"_row,TN,Kind\n1,+12125550142,Y\n", tmp_path, mapped({"columns": {"Voice": 3, "SMS": 3}}))
    assert (facts.columns, facts.numbers) == (("TN", "Kind"), (2, 3))
    assert facts.mapping[Column.VOICE] == 1


@pytest.mark.parametrize(
    ("columns", "code", "words"),
    [
        ({"Voice": "Kind", "SMS": 3}, Code.DUPLICATE_COLUMN, "2 columns are named “Kind”"),
        ({"Voice": "Nothing", "SMS": 3}, Code.MISSING_COLUMN, "Voice is to be read from the column “Nothing”"),
        ({"Voice": 9, "SMS": 3}, Code.MISSING_COLUMN, "from column 9"),
        ({"Voice": 2}, Code.MISSING_COLUMN, "missing: “SMS”"),
    ],
)
def test_a_mapping_that_does_not_fit(tmp_path: Path, columns: dict[str, object], code: Code, words: str) -> None:
    fault = refused(FILE, tmp_path, mapped({"columns": columns}))
    assert (fault.code, words in fault.detail) == (code, True)
    assert isinstance(fault, UnsettledTableError)
    assert fault.header.mapping[Column.PHONE_NUMBER] == 0, "what is certain is known"


def test_a_table_without_names_by_number(tmp_path: Path) -> None:
    content = b"Y;+12125550142;N\nY;+12125550143;N\n"
    columns = {"Phone Number": 2, "Voice": 1, "SMS": 3}
    for options in (mapped({"columns": columns}), mapped({"columns": columns}, header_row=0)):
        facts, rows = got(content, tmp_path, options)
        assert (facts.header_row, facts.columns) == (0, ("Voice", "Phone Number", "SMS"))
        assert rows.numbers == [1, 2]
    fault = refused(content, tmp_path, mapped({"columns": columns | {"SMS": 7}}, header_row=0))
    assert (fault.code, "“SMS”" in fault.detail) == (Code.NO_HEADER, True)


def test_numbers_of_columns_below_unknown_names(tmp_path: Path) -> None:
    """The first row has no phone number where the numbers are, so it has the names."""
    columns = {"Phone Number": 1, "Voice": 2, "SMS": 2}
    facts, rows = got(b"a,b\n+12125550142,Y\n", tmp_path, mapped({"columns": columns}))
    assert (facts.header_row, facts.columns, rows.numbers) == (1, ("a", "b"), [2])


def described(content: bytes, folder: Path, options: ReadOptions | None = None) -> UnsettledTableError:
    path = folder / "upload"
    path.write_bytes(content)
    with (
        pytest.raises(UnsettledTableError) as caught,
        read(path, LIMITS, workdir=folder, hints=options or ReadOptions(), describes=True),
    ):
        pass
    return caught.value


def test_a_file_that_is_not_settled_is_described(tmp_path: Path) -> None:
    unsettled = described(FILE + b"+12125550144,Y,,\n", tmp_path)
    assert unsettled.description is not None
    assert unsettled.facts is not None
    first, second, third, _ = unsettled.description.columns
    assert (first.number, first.header, list(first.samples)[:1]) == (1, "TN", ["+12125550142"])
    assert list(second.distinct) == [("Y", 2), ("N", 1)]
    assert dict(third.distinct) == {"N": 1, "Y": 1, "": 1}
    assert unsettled.description.top[0] == (1, ["TN", "Kind", "Kind", "Note"])
    assert unsettled.facts.mapping == {Column.PHONE_NUMBER: 0}


def test_columns_with_many_or_long_values_are_not_counted(tmp_path: Path) -> None:
    rows = [f"+1212555{place:04},{place},{'x' * 100}" for place in range(60)]
    unsettled = described("\n".join(["TN,many,long", *rows]).encode(), tmp_path)
    assert unsettled.description is not None
    assert [list(column.distinct) for column in unsettled.description.columns] == [[], [], []]
    assert all(len(text) <= 60 for text in unsettled.description.columns[2].samples)


def test_a_settled_file_is_described_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(b"Phone Number,Voice,SMS\n+12125550142,TRUE,FALSE\n")
    with read(path, LIMITS, workdir=tmp_path, describes=True) as sheet:
        assert sheet.description is None, "nothing has been read"
        list(sheet.batches())
        assert sheet.description is not None
        assert [list(column.distinct) for column in sheet.description.columns[1:]] == [[("TRUE", 1)], [("FALSE", 1)]]


def profile_for(*names: str) -> ReadOptions:
    mapping = ColumnMapping.from_json({"columns": {**NUMBER, "Voice": 2, "SMS": 3}})

    def find(headers: Sequence[str]) -> MatchingProfile | Sequence[str]:
        if [*headers][:1] != ["TN"] or not names:
            return ()
        return MatchingProfile("id", names[0], mapping) if len(names) == 1 else list(names)

    return ReadOptions(profiles=find)


def test_a_profile_is_taken_only_where_the_file_does_not_explain_itself(tmp_path: Path) -> None:
    facts, _ = got(FILE, tmp_path, profile_for("Carrier"))
    assert facts.profile is not None
    assert (facts.profile.name, facts.mapping[Column.SMS]) == ("Carrier", 2)
    plain, _ = got(b"TN,Voice,SMS\n+12125550142,Y,N\n", tmp_path, profile_for("Carrier"))
    assert (plain.profile, plain.mapping[Column.SMS]) == (None, 2)


def test_several_profiles_and_one_that_does_not_fit_are_told(tmp_path: Path) -> None:
    fault = refused(FILE, tmp_path, profile_for("First", "Second"))
    assert "choose one: “First”, “Second”" in fault.detail
    fault = refused(b"TN,Kind\n+12125550142,Y\n", tmp_path, profile_for("Carrier"))
    assert "“Carrier” has these column names, but does not fit the file." in fault.detail


def workbook(**sheets: list[list[str]]) -> bytes:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True}) as book:
        for name, rows in sheets.items():
            page = book.add_worksheet(name)
            for place, row in enumerate(rows):
                page.write_row(place, 0, row)
    return target.getvalue()


def test_of_several_sheets_the_one_with_the_most_known_columns_is_asked_about(tmp_path: Path) -> None:
    table = [["TN", "Type", "Provider"], ["+12125550142", "x", "y"]]
    unsettled = described(workbook(ReadMe=[["Ask Bob"]], Numbers=table), tmp_path)
    assert (unsettled.source.sheet, unsettled.header.columns) == ("Numbers", ("TN", "Type", "Provider"))
    assert unsettled.description is not None
    assert list(unsettled.description.sheets) == ["Numbers", "ReadMe"]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"columns": {"Nothing": 1}}, "is not one of our columns"),
        ({"columns": {"Voice": 1, "voice": 2}}, "occurs twice"),
        ({"columns": {"Voice": 1}, "constants": {"Voice": "TRUE"}}, "both a column of the file and a constant"),
    ],
)
def test_what_a_mapping_cannot_be(raw: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ColumnMapping.from_json(raw)
    with pytest.raises(ValidationError, match=words):
        MappingBody.model_validate(raw)


def test_a_mapping_is_stored_and_read_back() -> None:
    raw = {"columns": {"Phone Number": "TN", "Fax": None}, "values": {"Voice": {"y": "TRUE"}}}
    mapping = ColumnMapping.from_json(raw)
    assert mapping.to_json() == raw
    assert ColumnMapping.from_json(mapping.to_json()) == mapping
    assert (bool(mapping), bool(ColumnMapping())) == (True, False)
    assert value_key("  Ja \t Gewiß ") == value_key("ja gewiss")


@pytest.mark.parametrize("text", ["{", "[" * 5000, '{"columns": {}, "columns": {}}', "[]"])
def test_a_form_field_that_is_no_mapping(text: str) -> None:
    with pytest.raises(ValidationError):
        UploadForm.model_validate({"mapping": text})


def test_a_form_field_is_json() -> None:
    form = UploadForm.model_validate({"mapping": '{"columns": {"Voice": 2}}'})
    assert form.mapping is not None
    assert form.mapping.parsed().columns == {Column.VOICE: 2}
