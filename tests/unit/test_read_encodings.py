"""Text in two encodings, or in four bytes a character: rows stay readable, and what was done is said (R10)."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from schemas.codes import Code
from tests.support.files import sheets
from worker.stages.read import FileFacts, FileFault, Limits, read
from worker.stages.reading.text_files import mixed_encodings

LIMITS = Limits(1 << 26, 200_000, 20, 2000, 1 << 26, 1 << 30, 30)
HEADER = "Country Code,Phone Number,Voice,SMS,Name"


def got(content: bytes, folder: Path) -> tuple[FileFacts, list[str]]:
    """What was decided, and the names."""
    (folder / "upload").write_bytes(content)
    with read(folder / "upload", LIMITS, workdir=folder) as sheet:
        names = [name for batch in sheet.batches() for name in batch.cells.column(4).to_pylist()]
    return sheet.facts, names


def lines(*names: bytes, end: bytes = b"\n") -> bytes:
    return end.join([HEADER.encode(), *(b"1,2125550100,TRUE,FALSE," + name for name in names), b""])


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-le", "utf-32-be"])
def test_utf_32(tmp_path: Path, encoding: str) -> None:
    """Its little-endian mark begins with that of UTF-16."""
    text = ("" if encoding == "utf-32" else "\ufeff") + lines("Zoë 電話".encode(), "😀".encode()).decode()
    facts, names = got(text.encode(encoding), tmp_path)
    assert names == ["Zoë 電話", "😀"]
    assert facts.encoding == ("utf-32-be" if encoding == "utf-32-be" else "utf-32-le")


def test_utf_32_cut_off(tmp_path: Path) -> None:
    with pytest.raises(FileFault) as caught:
        got(lines(b"x").decode().encode("utf-32")[:-1], tmp_path)
    assert (caught.value.code, caught.value.context["encoding"]) == (Code.BAD_ENCODING, "UTF-32")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_of_text_that_is_hardly_western(tmp_path: Path, encoding: str) -> None:
    names = ["電話番号の一覧です、ご確認ください" * 2] * 50
    facts, found = got(lines(*(name.encode() for name in names)).decode().encode(encoding), tmp_path)
    assert (facts.encoding, found) == (encoding, names)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_one_line_of_another_encoding_changes_no_other(tmp_path: Path, end: bytes) -> None:
    names = [*["Łódź 電話".encode()] * 3, b"Caf\xe9", "Zoë".encode()]
    facts, found = got(lines(*names, end=end), tmp_path)
    assert found == ["Łódź 電話"] * 3 + ["Café", "Zoë"]
    assert facts.encoding == "utf-8"
    assert facts.notes == ("Line 5 is not UTF-8 like the rest of the text but Windows-1252.",)


def test_several_lines_of_another_encoding_are_counted(tmp_path: Path) -> None:
    facts, found = got(lines("Zoë".encode(), b"Caf\xe9", b"na\xefve \x80 5"), tmp_path)
    assert found == ["Zoë", "Café", "naïve € 5"]
    assert facts.notes == (
        "2 lines, the first of them line 3, are not UTF-8 like the rest of the text but Windows-1252.",
    )


def test_lines_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed_encodings, "BLOCK", 7)
    names = ["Łódź 電話".encode(), b"Caf\xe9", b"plain"]
    for end in (b"\n", b"\r\n", b"\r"):
        assert got(lines(*names, end=end), tmp_path)[1] == ["Łódź 電話", "Café", "plain"]


def test_late_in_a_large_file(tmp_path: Path) -> None:
    names = ["Zoë".encode()] * 100_000
    names[90_000] = b"Caf\xe9"
    facts, found = got(lines(*names), tmp_path)
    assert found.count("Zoë") == 99_999
    assert found[90_000] == "Café"
    assert "Line 90,002" in facts.notes[0]


def test_coincidences_are_no_evidence(tmp_path: Path) -> None:
    """“Strauß–Weg” in Windows-1252 is sound UTF-8 as well, of a character that no such file has."""
    words = ["Strauß–Weg", "Café", "„Größe“"]
    facts, found = got(lines(*(word.encode("cp1252") for word in words)), tmp_path)
    assert (facts.encoding, found) == ("cp1252", words)
    many = ["Öl Ä“"] + ["Größe"] * 100
    facts, found = got(lines(*(word.encode("cp1252") for word in many)), tmp_path)
    assert (facts.encoding, found) == ("cp1252", many)


def test_bytes_of_no_encoding(tmp_path: Path) -> None:
    """Windows-1252 has no 0x81."""
    with pytest.raises(FileFault) as caught:
        got(lines("Zoë".encode(), b"a\xe9", b"b\x81"), tmp_path)
    assert (caught.value.code, caught.value.context["line"]) == (Code.BAD_ENCODING, 4)


def test_lines_are_counted() -> None:
    found = mixed_encodings.count(io.BytesIO(b"a\n\xc3\xa9\n\xe9\r\xe9\r\nb"))
    assert (found.utf8, found.other, found.first_other) == (1, 2, 3)
    assert found.are_mixed
    assert not mixed_encodings.count(io.BytesIO(b"\xe9")).are_mixed


def test_the_rest_is_decoded_as_the_codec_does(tmp_path: Path) -> None:
    """Where no line is UTF-8, it is the same as decoding all of it as Windows-1252."""
    text = sheets.csv_bytes(
        [HEADER.split(","), *(["1", f"{2125550000 + row}", "x", "", "Müller"] for row in range(99))]
    )
    assert "".join(mixed_encodings.decoded(io.BytesIO(text.decode().encode("cp1252")))) == text.decode()
    assert got(text.decode().encode("cp1252"), tmp_path)[1] == ["Müller"] * 99
