"""Files that are no table we read are named, with what to do instead; tables are never taken for one."""

from __future__ import annotations

import gzip
import io
import shutil
import sqlite3
import subprocess
from email.message import EmailMessage
from pathlib import Path

import pandas as pd
import pytest

from schemas.codes import Code
from tests.support.files import sheets
from worker.stages.read import FileFault, Limits, read

LIMITS = Limits(1 << 24, 1000, 20, 2000, 1 << 26, 1 << 30, 30)
HEADER = ["Country Code", "Phone Number", "Voice", "SMS"]
ROW = ["1", "2125550142", "TRUE", "FALSE"]
SAVE = "Open it in a spreadsheet program, save it as Excel (.xlsx) or CSV, and upload that."


def refusal(content: bytes, folder: Path) -> FileFault:
    (folder / "upload").write_bytes(content)
    with pytest.raises(FileFault) as caught, read(folder / "upload", LIMITS, workdir=folder) as sheet:
        list(sheet.batches())
    return caught.value


SYLK = """ID;PWXL;N;E
P;PGeneral
F;P0;DG0G8;M255
B;Y2;X2;D0 0 1 1
C;Y1;X1;K"Country Code"
C;X2;K"Phone Number"
C;Y2;X1;K1
C;X2;K2125550142
E
"""
DIF = (
    'TABLE\n0,1\n"EXCEL"\nVECTORS\n0,1\n""\nTUPLES\n0,2\n""\nDATA\n0,0\n""\n-1,0\nBOT\n1,0\n"Country Code"\n-1,0\nEOD\n'
)
EXCEL_2003 = """<?xml version="1.0"?>
<?mso-application progid="Excel.Sheet"?>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet/></Workbook>
"""
FLAT_ODS = """<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 office:mimetype="application/vnd.oasis.opendocument.spreadsheet"/>
"""
EXCEL_HTML = """<html xmlns:v="urn:schemas-microsoft-com:vml" xmlns:x="urn:schemas-microsoft-com:office:excel">
<head></head><body><table><tr><td>Country Code</td></tr></table></body></html>
"""
MHTML = 'MIME-Version: 1.0\nX-Document-Type: Workbook\nContent-Type: multipart/related; boundary="x"\n\n--x\n'


def message() -> bytes:
    mail = EmailMessage()
    mail["Received"], mail["From"], mail["To"] = "from a.example", "ann@example.com", "bob@example.com"
    mail["Subject"] = "Our numbers"
    mail.set_content("See the attached file.")
    return mail.as_bytes()


def parquet() -> bytes:
    sink = io.BytesIO()
    pd.DataFrame([ROW], columns=HEADER).to_parquet(sink)
    return sink.getvalue()


def database(folder: Path) -> bytes:
    with sqlite3.connect(folder / "made") as connection:
        connection.execute("create table numbers (e164 text)")
    content = (folder / "made").read_bytes()
    (folder / "made").unlink()
    return content


@pytest.mark.parametrize(
    ("content", "what", "fix"),
    [
        (SYLK.encode(), "a SYLK spreadsheet (.slk)", SAVE),
        (SYLK.replace("\n", "\r\n").encode(), "a SYLK spreadsheet (.slk)", SAVE),
        (DIF.encode(), "a DIF spreadsheet", SAVE),
        (EXCEL_2003.encode(), "an Excel 2003 XML spreadsheet", SAVE),
        (EXCEL_2003.encode("utf-16"), "an Excel 2003 XML spreadsheet", SAVE),
        (FLAT_ODS.encode(), "a flat OpenDocument spreadsheet (.fods)", SAVE),
        (EXCEL_HTML.encode(), "a web page (HTML)", SAVE),
        (b"\xef\xbb\xbf\n  <TABLE border=1><tr><td>1</table>", "a web page (HTML)", SAVE),
        (b"<div><table><tr><td>1</td></tr></table></div>", "a web page (HTML)", SAVE),
        (MHTML.encode(), "a web archive (.mht)", SAVE),
        (b"<?xml version='1.0'?><numbers/>", "an XML file", "Export the table"),
        (sheets.PDF, "a PDF document", "Export the table"),
        (sheets.PNG, "a PNG picture", "Export the table"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG picture", "Export the table"),
        (b"{\\rtf1\\ansi a}", "a text document (RTF)", "Copy the table"),
        (b'[\n  {"phone": "+12125550142"}\n]', "a JSON file", "Convert it"),
        (b'{\n  "numbers": []\n}', "a JSON file", "Convert it"),
        (b"[2125550142, 2125550143]", "a JSON file", "Convert it"),
        (parquet(), "a Parquet file", "Convert it"),
        (message(), "an e-mail", "Save the spreadsheet that is attached"),
        (b"BEGIN:VCARD\r\nVERSION:3.0\r\nTEL:+12125550142\r\nEND:VCARD\r\n", "a file of contacts (vCard)", "Export"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "a 7-Zip archive", "Unpack it"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_other_files_are_named(tmp_path: Path, content: bytes, what: str, fix: str, packed: bool) -> None:
    fault = refusal(gzip.compress(content) if packed else content, tmp_path)
    assert fault.code is Code.UNSUPPORTED_TYPE
    assert fault.detail.startswith(f"The file is {what}. {fix}")
    assert fault.context == {"found": what}


def test_a_database_is_named(tmp_path: Path) -> None:
    assert refusal(database(tmp_path), tmp_path).context == {"found": "an SQLite database"}


FORMATS = {
    "Gnumeric_sylk:sylk": "a SYLK spreadsheet (.slk)",
    "Gnumeric_dif:dif": "a DIF spreadsheet",
    "Gnumeric_html:html40": "a web page (HTML)",
    "Gnumeric_XmlIO:sax": "a Gnumeric spreadsheet",
}


@pytest.mark.skipif(shutil.which("ssconvert") is None, reason="needs Gnumeric")
@pytest.mark.parametrize("exporter", FORMATS)
def test_files_of_gnumeric(tmp_path: Path, exporter: str) -> None:
    (tmp_path / "a.csv").write_bytes(sheets.csv_bytes([HEADER, ROW]))
    made = tmp_path / "made"
    command = ["ssconvert", "-T", exporter, str(tmp_path / "a.csv"), str(made)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    content = made.read_bytes()
    assert refusal(content, tmp_path).context == {"found": FORMATS[exporter]}


@pytest.mark.parametrize(
    "text",
    [
        "ID;Phone Number;Country Code;Voice;SMS\nB;2125550142;1;x;\nC;2125550143;1;x;\nF;2125550144;1;x;\n",
        "ID;PHONE;CC;VOICE;SMS\nC;2125550142;1;x;\n",
        "From: Acme Ltd.\nTo: Numberyard\nDate: 2024-01-02\nCountry Code,Phone Number,Voice,SMS\n1,2125550142,x,\n",
        "TABLE\nCountry Code,Phone Number,Voice,SMS\n1,2125550142,x,\n",
        "<Numbers>\nCountry Code,Phone Number,Voice,SMS\n1,2125550142,x,\n",
        "Par1,Country Code,Phone Number,Voice,SMS\na,1,2125550142,x,\n",
        "[Export]\nCountry Code,Phone Number,Voice,SMS\n1,2125550142,x,\n",
        "\x1bE\x07Country Code,Phone Number,Voice,SMS\n1,2125550142,x,\n",
    ],
)
def test_tables_that_begin_like_other_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "upload").write_bytes(text.encode())
    with read(tmp_path / "upload", LIMITS, workdir=tmp_path) as sheet:
        assert sum(len(batch.row_number) for batch in sheet.batches()) >= 1
