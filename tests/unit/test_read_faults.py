"""Every whole-file fault has its code, says what was found, and leaves nothing behind; nothing harms the reader."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.codes import CATALOGUE, Code, Family
from tests.support.files import other_workbooks, sheets
from worker.stages.read import FileFault, Limits, ReadOptions, Sheet, read
from worker.stages.reading.workbooks import workbook

LIMITS = Limits(
    bytes=1 << 24,
    rows=1000,
    columns=10,
    cell_chars=2000,
    inflated_bytes=1 << 26,
    child_memory_bytes=1 << 30,
    child_seconds=30,
)
Found = TypeVar("Found")
SOUND_XLSX = sheets.xlsx_bytes(sheets.rows(3))


def refusal(content: bytes, folder: Path, limits: Limits = LIMITS) -> FileFault:
    """The fault that reading the whole file ends in."""
    path = folder / "upload.csv"
    path.write_bytes(content)
    with pytest.raises(FileFault) as caught, read(path, limits, workdir=folder) as sheet:
        for _ in sheet.batches():
            pass
    assert [entry.name for entry in folder.iterdir()] == ["upload.csv"], "work files are left"
    assert CATALOGUE[caught.value.code].family is Family.FILE
    assert caught.value.detail.endswith((".", "?"))
    return caught.value


@contextmanager
def opened(content: bytes, folder: Path, limits: Limits = LIMITS) -> Iterator[Sheet]:
    """A file that can be read."""
    path = folder / "upload.csv"
    path.write_bytes(content)
    with read(path, limits, workdir=folder) as sheet:
        yield sheet


def table(header: str, *lines: str) -> bytes:
    return "\n".join([header, *lines, ""]).encode()


ROW = "1,2125550001,TRUE,TRUE"
FAULTS: list[tuple[str, bytes, Code]] = [
    ("nothing", b"", Code.EMPTY_FILE),
    ("white space", b" \r\n\t\n ", Code.EMPTY_FILE),
    ("much white space", b" \n" * 100_000, Code.EMPTY_FILE),
    ("byte order mark only", b"\xef\xbb\xbf", Code.EMPTY_FILE),
    ("utf-16 byte order mark only", b"\xff\xfe", Code.EMPTY_FILE),
    ("delimiters only", b",,,\n,,,\n", Code.EMPTY_FILE),
    ("header only", sheets.csv_bytes(sheets.rows(0)), Code.EMPTY_FILE),
    ("header and blank rows", sheets.csv_bytes([*sheets.rows(0), [""] * 5, [], [" "]]), Code.EMPTY_FILE),
    ("workbook, header only", sheets.xlsx_bytes(sheets.rows(0)), Code.EMPTY_FILE),
    ("workbook, empty sheet", sheets.xlsx_bytes([]), Code.EMPTY_FILE),
    (
        "data without header, in another order",
        table("TRUE,TRUE,1,2125550001", "TRUE,TRUE,1,2125550001"),
        Code.NO_HEADER,
    ),
    ("data without header, too few columns", table("1,2125550001", "1,2125550002"), Code.NO_HEADER),
    ("prose", table("Dear all", "here are the numbers"), Code.NO_HEADER),
    ("other columns", table("Name,City,E-mail", "Ann,Rome,a@example.org"), Code.MISSING_COLUMN),
    ("one column missing", table("Country Code,Phone Number,Voice", "1,2,TRUE"), Code.MISSING_COLUMN),
    ("twice", table("Country Code,Phone Number,Voice,SMS,voice", ROW), Code.DUPLICATE_COLUMN),
    ("twice by alias", table("Country Code,Number,Voice,SMS,DID", ROW), Code.DUPLICATE_COLUMN),
    ("many columns", table("Country Code,Phone Number,Voice,SMS" + ",x" * 7, ROW), Code.TOO_MANY_COLUMNS),
    ("many rows", sheets.csv_bytes(sheets.rows(1001)), Code.TOO_MANY_ROWS),
    ("workbook, many rows", sheets.xlsx_bytes(sheets.rows(1001)), Code.TOO_MANY_ROWS),
    ("many bytes", b"x" * ((1 << 24) + 1), Code.FILE_TOO_LARGE),
    ("pdf", sheets.PDF, Code.UNSUPPORTED_TYPE),
    ("png", sheets.PNG, Code.UNSUPPORTED_TYPE),
    ("gzip of prose", sheets.gzip_bytes(b"a"), Code.NO_HEADER),
    ("gzip of nothing", sheets.gzip_bytes(b" "), Code.EMPTY_FILE),
    ("gzip of a picture", sheets.gzip_bytes(sheets.PNG), Code.UNSUPPORTED_TYPE),
    ("gzip in gzip", sheets.gzip_bytes(sheets.gzip_bytes(b"a")), Code.UNSUPPORTED_TYPE),
    ("zip in gzip", sheets.gzip_bytes(sheets.zip_bytes([("a", b"a")])), Code.UNSUPPORTED_TYPE),
    ("gzip cut off", sheets.gzip_bytes(os.urandom(9999))[:5000], Code.UNREADABLE_FILE),
    ("gzip damaged", sheets.gzip_bytes(b"Country Code,Phone Number" * 99)[:-6] + b"wrong!", Code.UNREADABLE_FILE),
    ("gzip bomb", sheets.gzip_bytes(b" " * 100_000_000), Code.UNREADABLE_FILE),
    ("html", sheets.HTML, Code.UNSUPPORTED_TYPE),
    ("binary", sheets.BINARY, Code.UNSUPPORTED_TYPE),
    ("control characters", b"\x01\x02\x03abc" * 100, Code.UNSUPPORTED_TYPE),
    ("NULs", b"\0" * 1000, Code.UNSUPPORTED_TYPE),
    ("zip of prose", sheets.zip_bytes([("numbers.csv", b"a")]), Code.NO_HEADER),
    ("empty zip", sheets.zip_bytes([]), Code.EMPTY_FILE),
    ("zip of litter", sheets.zip_bytes([("__MACOSX/a", b"a"), (".DS_Store", b"b")]), Code.EMPTY_FILE),
    ("zip of two", sheets.zip_bytes([("a.csv", b"a"), ("b.csv", b"b")]), Code.UNSUPPORTED_TYPE),
    ("zip in zip", sheets.zip_bytes([("a.zip", sheets.zip_bytes([("a", b"a")]))]), Code.UNSUPPORTED_TYPE),
    ("encrypted zip", sheets.encrypted_zip(b"a"), Code.ENCRYPTED_FILE),
    ("word in zip", sheets.zip_bytes([("word/document.xml", b"a")]), Code.UNSUPPORTED_TYPE),
    ("ods, damaged", sheets.open_document_bytes(), Code.UNREADABLE_FILE),
    ("xls, damaged", sheets.ole2_bytes("Workbook"), Code.UNREADABLE_FILE),
    ("xls cut off", sheets.truncated(other_workbooks.xls_bytes(sheets.rows(300))), Code.UNREADABLE_FILE),
    ("xlsb cut off", sheets.truncated(other_workbooks.xlsb_bytes(sheets.rows(300))), Code.UNREADABLE_FILE),
    ("doc", sheets.ole2_bytes("WordDocument"), Code.UNSUPPORTED_TYPE),
    ("encrypted", sheets.ole2_bytes("EncryptedPackage"), Code.ENCRYPTED_FILE),
    (
        "no cp1252",
        table("Country Code,Phone Number,Voice,SMS", "1,\x81,TRUE,TRUE").replace(b"\xc2", b""),
        Code.BAD_ENCODING,
    ),
    (
        "mark says utf-8",
        b"\xef\xbb\xbf" + table("Country Code,Phone Number,Voice,SMS") + b"1,\xe9,x,y",
        Code.BAD_ENCODING,
    ),
    ("half a character", b"\xff\xfe" + "Country Code;".encode("utf-16-le") + b"x", Code.BAD_ENCODING),
    ("lone surrogate", b"\xff\xfe" + "Country Code;".encode("utf-16-le") + b"\0\xd8a\0", Code.BAD_ENCODING),
    ("long cell", table("Country Code,Phone Number,Voice,SMS", "1," + "2" * 2001 + ",TRUE,TRUE"), Code.UNREADABLE_FILE),
    (
        "long quoted cell",
        table("Country Code,Phone Number,Voice,SMS", '1,"' + "2" * 2001 + '",TRUE,TRUE'),
        Code.UNREADABLE_FILE,
    ),
    ("one long line", b"Country Code,Phone Number,Voice,SMS\n" + b"x" * 5_000_000, Code.UNREADABLE_FILE),
    ("nothing but a long line", b"x" * 5_000_000, Code.UNREADABLE_FILE),
    ("no end of quotes", table("Country Code,Phone Number,Voice,SMS", *['x","y'] * 200_000), Code.UNREADABLE_FILE),
    ("truncated workbook", sheets.truncated(SOUND_XLSX), Code.UNREADABLE_FILE),
    ("broken xml", sheets.broken_xml(), Code.UNREADABLE_FILE),
    ("doubled part", sheets.doubled_part(), Code.UNREADABLE_FILE),
    ("bomb", sheets.zip_bomb(), Code.UNREADABLE_FILE),
    ("17 thousand million cells", sheets.huge_range(), Code.TOO_MANY_ROWS),
]


@pytest.mark.parametrize(("content", "code"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_whole_file_faults(tmp_path: Path, content: bytes, code: Code) -> None:
    started = time.monotonic()
    assert refusal(content, tmp_path).code is code
    assert time.monotonic() - started < 25


@pytest.mark.long
def test_a_cell_far_right_widens_no_other_row(tmp_path: Path) -> None:
    """5 KB had 1 GB of empty cells written to disk, a worker busy for 36 s."""
    path, target = tmp_path / "upload.xlsx", tmp_path / "cells"
    path.write_bytes(sheets.huge_range(last_row=50_000))
    book = workbook.open_workbook(path, replace(LIMITS, columns=256), target, ReadOptions())
    assert isinstance(book, workbook.Workbook)
    assert list(book.strays.values()) == ["XFD50000: 1"]
    assert sum(len(block.row_number) for block in book.blocks(5)) == 50_000
    assert target.stat().st_size < 50_000 * 5 * 8


def test_a_part_that_does_not_match_its_checksum_is_named_as_such(tmp_path: Path) -> None:
    sheet = dict(sheets.parts_of(SOUND_XLSX))[sheets.SHEET_PART]
    checksum = zlib.crc32(sheet).to_bytes(4, "little")
    assert SOUND_XLSX.count(checksum) == 2
    fault = refusal(SOUND_XLSX.replace(checksum, b"\0\0\0\0"), tmp_path)
    assert (fault.code, "does not match its checksum" in fault.detail) == (Code.UNREADABLE_FILE, True)


def test_faults_name_what_was_found(tmp_path: Path) -> None:
    missing = refusal(table("Country,Number,Voice,Colour", "1,2,TRUE,red"), tmp_path)
    assert missing.context == {"missing": ["SMS"], "found": ["Country", "Number", "Voice", "Colour"]}
    twice = refusal(table("Country,Number,Voice,SMS,DID", ROW), tmp_path)
    assert twice.context == {"column": "Phone Number", "found": ["Number", "DID"]}
    assert twice.detail.endswith("“Number”, “DID”. Rename the right one to “Phone Number”.")
    assert "PDF" in refusal(sheets.PDF, tmp_path).detail
    two = refusal(sheets.zip_bytes([("a.csv", b"a"), ("folder/b.csv", b"b")]), tmp_path)
    assert "a.csv, folder/b.csv" in two.detail
    alike = refusal(table("Country Code,Phne Number,Voice,SMS", ROW), tmp_path)
    assert "“Phne Number” is not recognized; did you mean “Phone Number”?" in alike.detail
    bad = sheets.csv_bytes(sheets.rows(9)).replace(b"2125550007", b"\x81")
    assert refusal(bad, tmp_path).context["line"] == 9
    long_cell = sheets.csv_bytes(sheets.rows(9)).replace(b"2125550007", b"2" * 3000)
    assert refusal(long_cell, tmp_path).context["row"] == 9


@pytest.mark.long
@pytest.mark.parametrize("build", [sheets.xlsx_bytes, other_workbooks.xls_bytes], ids=["xlsx", "xls"])
def test_sheets_beyond_the_limit(tmp_path: Path, build: Callable[..., bytes]) -> None:
    book = build(sheets.rows(1), after=[f"More {number}" for number in range(5)])
    assert "has 6 sheets, more than 5" in refusal(book, tmp_path, replace(LIMITS, sheets=5)).detail
    with opened(book, tmp_path, replace(LIMITS, sheets=6)) as sheet:
        assert sheet.facts.sheet == "Numbers"


@pytest.mark.long
@pytest.mark.parametrize("pack", [sheets.gzip_bytes, lambda content: sheets.zip_bytes([("a", content)])])
def test_a_ratio_beyond_the_limit(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """Only what becomes large is suspected: blanks pack a thousand to one."""
    much = pack(sheets.csv_bytes(sheets.rows(1)) + b" " * (1 << 26))
    roomy = replace(LIMITS, inflated_bytes=1 << 28, cell_chars=1 << 27)
    assert refusal(much, tmp_path, replace(roomy, inflated_ratio=500)).detail.startswith(
        ("The archive unpacks", "The file unpacks")
    )


@pytest.mark.long
def test_memory_beyond_the_limit_ends_the_child_only(tmp_path: Path) -> None:
    """What the archive's directory tells is harmless here, what the parser makes of it is not."""
    small = replace(LIMITS, inflated_bytes=1 << 30, child_memory_bytes=1 << 28)
    strings = sheets.with_part(
        "xl/sharedStrings.xml", lambda xml: xml.replace(b"</sst>", b"<si><t>x</t></si>" * 3_500_000 + b"</sst>")
    )
    assert refusal(strings, tmp_path, small).code is Code.UNREADABLE_FILE


@pytest.mark.parametrize(
    ("content", "limits"),
    [
        (SOUND_XLSX, replace(LIMITS, inflated_bytes=5000)),
        (sheets.zip_bomb(), replace(LIMITS, inflated_bytes=1 << 30)),
    ],
    ids=["size", "ratio"],
)
def test_workbooks_that_unpack_to_too_much(tmp_path: Path, content: bytes, limits: Limits) -> None:
    assert refusal(content, tmp_path, limits).code is Code.UNREADABLE_FILE


def test_child_does_not_outlive_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "child.py").write_text("import time; time.sleep(600)")
    monkeypatch.setattr(workbook, "CHILD", tmp_path / "child.py")
    (tmp_path / "upload").write_bytes(SOUND_XLSX)
    started = time.monotonic()
    with (
        pytest.raises(FileFault) as caught,
        read(tmp_path / "upload", replace(LIMITS, child_seconds=0.5), workdir=tmp_path),
    ):
        pass
    assert (caught.value.code, caught.value.context) == (Code.UNREADABLE_FILE, {"seconds": 0.5})
    assert time.monotonic() - started < 60


@pytest.mark.long
def test_child_that_burns_its_time_is_ended_by_the_system(tmp_path: Path) -> None:
    """The limit on CPU time holds even if nobody is there to end the child."""
    (tmp_path / "upload").write_bytes(SOUND_XLSX)
    script = (
        f"import os, runpy; child = runpy.run_path({str(workbook.CHILD)!r})\n"
        "child['limit_self'](child['Order']('', '', '', 0, 0, 1 << 30, 1, 0, 0, 0, 0, os.getppid()))\n"
        "while True: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert done.returncode == -signal.SIGXCPU


@pytest.mark.long
def test_child_dies_with_its_parent(tmp_path: Path) -> None:
    """A killed worker leaves no reader behind."""
    numbers: list[Sequence[sheets.Cell]] = [sheets.HEADER, *([1, row, True, True, False] for row in range(60_000))]
    (tmp_path / "upload").write_bytes(sheets.xlsx_bytes(numbers))
    script = (
        "import sys; from pathlib import Path; from worker.stages.read import Limits, read\n"
        "path = Path(sys.argv[1])\n"
        f"with read(path, {LIMITS!r}, workdir=path.parent): pass\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "upload")])
    try:
        child = _until(lambda: next(iter(_children(parent.pid)), None))
        # Once it has its limits it is bound to its parent; stopped, it cannot end by itself.
        _until(lambda: _memory_limit(child.pid) == LIMITS.child_memory_bytes)
        child.suspend()
    finally:
        parent.kill()
        parent.wait()
    _until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_child_knows_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the process that opens strangers' files holds nothing of ours."""
    monkeypatch.setenv("NUMBERYARD_DATABASE_URL", "secret")
    spy = tmp_path / "spy.py"
    answer = "{'code': 'EMPTY_FILE', 'detail': ','.join(os.environ) + '.'}"
    spy.write_text(f"import json, os, sys; sys.stdout.write(json.dumps({answer}))")
    monkeypatch.setattr(workbook, "CHILD", spy)
    (tmp_path / "upload").write_bytes(SOUND_XLSX)
    with pytest.raises(FileFault) as caught, read(tmp_path / "upload", LIMITS, workdir=tmp_path):
        pass
    names = set(caught.value.detail.rstrip(".").split(","))
    assert "LC_ALL" in names
    assert names <= {*workbook.PASSED_ON, *workbook.CHILD_ENVIRONMENT, "LC_CTYPE"}


@pytest.mark.parametrize(
    ("script", "context"),
    [
        ("import os; os.abort()", {"signal": "SIGABRT"}),
        ("import os; os._exit(3)", {"exit_code": 3}),
        ("print('nonsense')", {}),
    ],
)
def test_whatever_a_child_does_is_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, context: dict[str, object]
) -> None:
    (tmp_path / "child.py").write_text(script)
    monkeypatch.setattr(workbook, "CHILD", tmp_path / "child.py")
    (tmp_path / "upload").write_bytes(SOUND_XLSX)
    with pytest.raises(FileFault) as caught, read(tmp_path / "upload", LIMITS, workdir=tmp_path):
        pass
    assert (caught.value.code, caught.value.context) == (Code.UNREADABLE_FILE, context)


@pytest.mark.parametrize(
    ("script", "error", "text"),
    [
        ("import os; os.kill(os.getpid(), 9)", workbook.ChildKilledError, None),
        ("import errno; raise OSError(errno.ENOSPC, 'full')", OSError, "no room"),
        ("import errno; raise OSError(errno.EDQUOT, 'quota')", OSError, "no room"),
        ("import errno; raise OSError(errno.EIO, 'broken')", OSError, "the disk failed"),
    ],
)
def test_what_is_not_the_workbook_s_fault_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: type[Exception], text: str | None
) -> None:
    """Killed from outside, no room on the disk, or a failing disk: it is tried again."""
    child = workbook.CHILD.read_text()
    reader = f"def read_file(order):\n    {script}\n\n\ndef main("
    folder = f"{str(workbook.CHILD.parent)!r}]"
    child = child.replace("def main(", reader).replace('__file__.rpartition("/")[0]]', folder)
    (tmp_path / "child.py").write_text(child)
    monkeypatch.setattr(workbook, "CHILD", tmp_path / "child.py")
    (tmp_path / "upload").write_bytes(SOUND_XLSX)
    with pytest.raises(error, match=text), read(tmp_path / "upload", LIMITS, workdir=tmp_path):
        pass


def test_child_of_a_process_that_is_gone_reads_nothing(tmp_path: Path) -> None:
    """Started by a process that is gone already, the child ends without reading."""
    (tmp_path / "upload").write_bytes(SOUND_XLSX)
    numbers = ["0", "0", str(1 << 30), "10", str(1 << 26), "400", "9", "9", str(os.getpid() + 1)]
    command = [sys.executable, "-I", str(workbook.CHILD), str(tmp_path / "upload"), str(tmp_path / "out"), *numbers]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.long
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400) | st.text(st.sampled_from('aé1,;"\r\n\t|\0'), max_size=300).map(str.encode))
def test_any_bytes_give_a_verdict(tmp_path: Path, body: bytes) -> None:
    """Rows or a `FileFault`, never another error; with and without a sound header before the bytes."""
    for content in (body, b"Country Code,Phone Number,Voice,SMS\n" + body):
        (tmp_path / "upload").write_bytes(content)
        assert _has_verdict(tmp_path)


@pytest.mark.long
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_to_a_workbook_gives_a_verdict(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(SOUND_XLSX)
    for place in data.draw(st.lists(st.integers(4, len(content) - 1), min_size=1, max_size=8)):
        content[place] = data.draw(st.integers(0, 255))
    (tmp_path / "upload").write_bytes(content)
    assert _has_verdict(tmp_path)


def _has_verdict(folder: Path) -> bool:
    try:
        with read(folder / "upload", LIMITS, workdir=folder) as sheet:
            return sum(len(batch.row_number) for batch in sheet.batches()) > 0
    except FileFault as fault:
        return CATALOGUE[fault.code].family is Family.FILE


def _children(process: int) -> list[psutil.Process]:
    return psutil.Process(process).children(recursive=True)


def _memory_limit(process: int) -> int:
    return resource.prlimit(process, resource.RLIMIT_AS)[0]


def _until(found: Callable[[], Found | None], seconds: float = 20) -> Found:
    """What is found, as soon as there is something; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := found():
            return result
    raise TimeoutError
