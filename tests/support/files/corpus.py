"""Spreadsheets as people have them, each with the verdict it must get: the file's, and the code of every row.

Built here from scratch, never copied from anybody. A row's code is what checking makes of it; "" goes on to be written.
The kinds of pollution are those of the Pollock benchmark (Vitagliano et al., PVLDB 16, 2023), whose names are kept.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from schemas.codes import Code
from tests.support.files import other_workbooks, sheets
from tests.support.files.sheets import Cell, ErrorCell, csv_bytes, gzip_bytes, xlsx_bytes, zip_bytes

HEADER = ["Country Code", "Phone Number", "Voice", "SMS", "Fax"]
FILES = Path(__file__).with_name("corpus_files")


@dataclass(frozen=True)
class Kept:
    """A file that another program wrote, kept as it is: how many rows it has, all sound but those with a code."""

    rows: int
    codes: Mapping[int, str] = field(default_factory=dict)  # place of a row -> its code


# Written by SheetJS, Gnumeric, xlwt and XlsxWriter of one table of made-up numbers, or of a few rows.
KEPT = {
    "06-leading-zero-by-number-format.xlsx": Kept(2),
    "08-first-sheet-is-instructions.xlsx": Kept(1),
    "farcol_stray_value.xlsx": Kept(200, {2: "ROW_TOO_WIDE"}),
    "gnumeric.ods": Kept(200),
    "phone_cells_formatted_as_date.xlsx": Kept(200),
    "sheetjs.ods": Kept(200),
    "sheetjs.xlsb": Kept(200),
    "uppercase_parts.xlsx": Kept(200),
    "workbook2_part_name.xlsx": Kept(200),
    "xls_NAME_error_cell_in_header_row.xls": Kept(200),
    "xls_NAME_error_cell_in_row1_of_other_sheet.xls": Kept(200),
    "xls_with_embedded_chart.xls": Kept(200),
}
ROWS = [["1", f"21255501{row:02}", "TRUE", "FALSE", ""] for row in range(40, 43)]
TABLE = [HEADER, *ROWS]
SOUND = ["", "", ""]
NUMBERS = [12125550140, 12125550141, 12125550142]


@dataclass(frozen=True)
class Case:
    """A file, the fault it ends in or None, the code of each row, and the numbers found (0: none) if they are told."""

    name: str
    content: bytes
    fault: Code | None = None
    codes: Sequence[str] = ()
    numbers: Sequence[int] = ()
    warnings: Sequence[str] = field(default=())


def sound(name: str, content: bytes) -> Case:
    return Case(name, content, None, SOUND, NUMBERS)


def cell(name: str, number: str, code: str = "", e164: int = 0, *warnings: str, country: str = "1") -> Case:
    """One number in one cell."""
    content = csv_bytes([HEADER, [country, number, "TRUE", "", ""]])
    return Case(f"cell, {name}", content, None, [code], [e164], warnings)


def in_script(digits: str, zero: int) -> str:
    """Digits of another script, whose zero stands at this place."""
    return "".join(chr(zero + int(digit)) for digit in digits)


def boolean(word: str, *, sound: bool = True) -> Case:
    content = csv_bytes([HEADER, ["1", "2125550140", "TRUE", word, ""]])
    return Case(f"boolean, {word!r}", content, None, ["" if sound else "INVALID_BOOLEAN"])


def cases() -> Iterator[Case]:
    """All of them."""
    yield from formats()
    yield from texts()
    yield from headers()
    yield from numbers()
    yield from booleans()
    yield from shapes()
    yield from typed_cells()
    yield from broken()
    yield from pollock()
    yield from kept_files()


def formats() -> Iterator[Case]:
    built = {
        "csv": csv_bytes(TABLE),
        "tsv": csv_bytes(TABLE, delimiter="\t"),
        "xlsx": xlsx_bytes(TABLE),
        "xls": other_workbooks.xls_bytes(TABLE),
        "xlsb": other_workbooks.xlsb_bytes(TABLE),
        "ods": other_workbooks.ods_bytes(TABLE),
        "xlsm": zip_bytes([*sheets.parts_of(xlsx_bytes(TABLE)), ("xl/vbaProject.bin", b"x")]),
    }
    for name, content in built.items():
        yield sound(f"format, {name}", content)
        yield sound(f"format, {name} in gzip", gzip_bytes(content))
        yield sound(f"format, {name} in zip", zip_bytes([("n", content)]))
    for name in ("xlsx", "xls", "xlsb", "ods"):
        build = getattr(other_workbooks, f"{name}_bytes", xlsx_bytes)
        yield sound(f"format, {name} with a hidden sheet before", build(TABLE, hidden=["Old"]))


def texts() -> Iterator[Case]:
    for encoding in ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"):
        for mark in ",;\t|":
            rows = [[*row, "é" if encoding == "cp1252" else "電"] for row in TABLE]
            yield sound(f"text, {encoding} with {mark!r}", csv_bytes(rows, delimiter=mark, encoding=encoding))
    yield sound("text, byte order mark", csv_bytes(TABLE, bom=True))
    yield sound("text, all quoted", csv_bytes(TABLE, quoting=csv.QUOTE_ALL))
    wrapped = [[f'="{text}"' for text in row] for row in TABLE]
    yield sound("text, every cell wrapped", "\r\n".join(map(",".join, wrapped)).encode())
    yield sound("text, every cell wrapped and quoted", csv_bytes(wrapped))
    yield sound("text, every line quoted", csv_bytes([[",".join(row)] for row in TABLE], quoting=csv.QUOTE_ALL))
    stray = [[*row, "x"] for row in TABLE]
    stray[1][5], stray[3][5] = '"abc', 'abc"'
    yield sound("text, two stray quotation marks", "\r\n".join(map(",".join, stray)).encode())
    yield sound("text, sep line", b"sep=;\r\n" + csv_bytes(TABLE, delimiter=";"))
    yield sound("text, line breaks in a cell", csv_bytes([[*row, "a\nb\r\nc"] for row in TABLE]))
    yield sound("text, delimiters in a cell", csv_bytes([[*row, 'a,b;"c"'] for row in TABLE]))


def headers() -> Iterator[Case]:
    spelled = {
        "upper case": [name.upper() for name in HEADER],
        "underscores": [name.lower().replace(" ", "_") for name in HEADER],
        "no spaces": [name.replace(" ", "") for name in HEADER],
        "spaces around": [f"  {name} " for name in HEADER],
        "punctuation": [f"{name}:" for name in HEADER],
        "quoted with apostrophes": [f"'{name}'" for name in HEADER],
        "no-break spaces": [name.replace(" ", "\u00a0") for name in HEADER],
        "aliases": ["CC", "DID", "Voice enabled", "SMS enabled", "Fax enabled"],
        "other aliases": ["ISO country", "E.164", "voice", "text", "fax"],
        "German": ["Ländercode", "Rufnummer", "Sprache", "SMS", "Telefax"],
        "German without umlauts": ["Landerkennzahl", "TELEFONNUMMER", "Telefonie", "Textnachrichten", "Fax"],
        "French": ["Indicatif pays", "Numéro de téléphone", "Voix", "SMS", "Télécopie"],
        "French without accents": ["CODE PAYS", "NUMERO DE TELEPHONE", "VOIX", "SMS", "TELECOPIE"],
        "Spanish": ["Código de país", "Número de teléfono", "Voz", "Mensajes", "Fax"],
        "Portuguese": ["Código do país", "Número de telefone", "Voz", "Mensagens", "Fax"],
        "Italian": ["Prefisso internazionale", "Numero di telefono", "Voce", "Messaggi", "Fax"],
        "Dutch": ["Landcode", "Telefoonnummer", "Spraak", "Berichten", "Fax"],
    }
    for name, header in spelled.items():
        yield sound(f"header, {name}", csv_bytes([header, *ROWS]))
    beside = {"Country": "Italy", "Number": "1", "Rufnummer": "2125550199", "Text": "a remark", "Telefax": "?"}
    for name, other in beside.items():
        yield sound(
            f"header, {name} beside the exact name", csv_bytes([[name, *HEADER], *([other, *row] for row in ROWS)])
        )
    yield sound("header, another order", csv_bytes([list(reversed(row)) for row in TABLE]))
    yield sound("header, unknown columns between", csv_bytes([[row[0], "x", *row[1:], "y"] for row in TABLE]))
    titles: list[list[list[str]]] = [
        [["Our numbers"]],
        [["Title"], [], ["as of", "today"]],
        [[], [], []],
        [["a"] * 5, ["b"] * 5],
    ]
    for above in titles:
        yield sound(f"header below {above}", csv_bytes([*above, *TABLE]))
        yield sound(f"header below {above}, workbook", xlsx_bytes([*above, *TABLE]))
    yield sound("header missing, columns as in the sample", csv_bytes([[*row[:4], "no"] for row in ROWS]))
    yield sound("header missing, four columns", csv_bytes([row[:4] for row in ROWS]))
    wrong = {
        "missing, another order": ([[row[2], row[1], row[0], row[3]] for row in ROWS], Code.NO_HEADER),
        "one missing": ([row[:3] for row in TABLE], Code.MISSING_COLUMN),
        "misspelled": ([["Country Code", "Phne Number", "Voice", "SMS"], *ROWS], Code.MISSING_COLUMN),
        "twice": ([[*HEADER, "sms"], *ROWS], Code.DUPLICATE_COLUMN),
        "twice by other names": ([["Country Code", "Telefon", *HEADER[2:], "Rufnummer"], *ROWS], Code.DUPLICATE_COLUMN),
        "no capabilities": ([["TelephoneNumber"], ["+12125550140"]], Code.MISSING_COLUMN),
    }
    for name, (rows, code) in wrong.items():
        yield Case(f"header, {name}", csv_bytes(rows), code)


def numbers() -> Iterator[Case]:
    e164 = 12125550140
    for name, text in {
        "national": "2125550140", "international": "+12125550140", "punctuated": "+1 (212) 555-0140",
        "dots": "212.555.0140", "slashes": "212/555/0140", "apostrophe": "'2125550140",
        "in apostrophes": "'2125550140'",
        "formula": '="2125550140"', "formula with plus": '="+12125550140"', "spaces around": "  2125550140\t",
        "no-break spaces": "212\u00a0555\u00a00140", "full-width digits": in_script("2125550140", 0xFF10),
        "Arabic digits": in_script("2125550140", 0x0660), "tel URI": "tel:+1-212-555-0140",
        "typographic hyphens": "212\u2011555\u20130140",
        "double zero": "0012125550140", "tel": "tel: 212 555 0140",
    }.items():  # fmt: skip
        yield cell(name, text, "", e164)
    yield cell("float", "2125550140.0", "", e164, "FLOAT_SUFFIX_REMOVED")
    yield cell("float with comma", "2125550140,00", "", e164, "FLOAT_SUFFIX_REMOVED")
    yield cell("scientific, every digit", "2.125550140E+9", "", e164, "SCIENTIFIC_RESTORED")
    yield cell("scientific with comma", "2,125550140E+09", "", e164, "SCIENTIFIC_RESTORED")
    yield cell("scientific, a zero that is not shown", "2.12555014E+9", "SCIENTIFIC_NOTATION_LOSS")
    yield cell("lost plus", "12125550140.0", "", e164, "FLOAT_SUFFIX_REMOVED", "PLUS_RESTORED")
    yield cell("calling code repeated", "12125550140", "", e164, "COUNTRY_CODE_REPEATED")
    yield cell("zero-width space", "212\u200b5550140", "", e164, "INVISIBLE_REMOVED")
    yield cell("bidi marks", "\u202d+12125550140\u202c", "", e164, "INVISIBLE_REMOVED")
    yield cell("byte order mark", "\ufeff2125550140", "", e164, "INVISIBLE_REMOVED")
    yield cell("trunk zero", "020 7946 0958", "", 442079460958, "TRUNK_PREFIX_REMOVED", country="GB")
    yield cell("lost leading zero", "2079460958", "", 442079460958, country="44")
    for name, text, code in (
        ("scientific, digits lost", "2.1E+9", "SCIENTIFIC_NOTATION_LOSS"),
        ("scientific, rounded", "4.41E+11", "SCIENTIFIC_NOTATION_LOSS"),
        ("empty", "", "MISSING_VALUE"), ("white space", " \u00a0 ", "MISSING_VALUE"),
        ("NULL", "NULL", "MISSING_VALUE"), ("n/a", "n/a", "MISSING_VALUE"), ("None", "None", "MISSING_VALUE"),
        ("NA", "NA", "MISSING_VALUE"), ("nan", "nan", "MISSING_VALUE"),
        ("words", "unknown", "INVALID_CHARACTER"), ("error", "#N/A", "INVALID_CHARACTER"),
        ("hash signs", "########", "INVALID_CHARACTER"), ("mail address", "ann@example.com", "INVALID_CHARACTER"),
        ("date", "2024-01-02 00:00:00", "INVALID_CHARACTER"),
        ("extension x", "2125550140 x12", "INVALID_CHARACTER"),
        ("extension", "2125550140 ext. 12", "INVALID_CHARACTER"),
        ("extension in URI", "tel:+1-212-555-0140;ext=12", "INVALID_CHARACTER"),
        ("two with a comma", "2125550140, 2125550141", "INVALID_CHARACTER"),
        ("two with a slash", "2125550140 / 2125550141", "INVALID_CHARACTER"),
        ("two with a word", "2125550140 or 2125550141", "INVALID_CHARACTER"),
        ("two with a semicolon", "2125550140;2125550141", "INVALID_CHARACTER"),
        ("two lines", "2125550140\n2125550141", "INVALID_CHARACTER"),
        ("label", "Tel. 212 555 0140", "INVALID_CHARACTER"),
        ("remark", "2125550140 (main)", "INVALID_CHARACTER"), ("mask", "(212) 555-XXXX", "INVALID_CHARACTER"),
        ("letter", "212555O140", "INVALID_CHARACTER"), ("footnote", "2125550140 [1]", "INVALID_CHARACTER"),
        ("vanity number with a remark", "1-800-356-9377 (FLOWERS)", "INVALID_CHARACTER"),
        ("too short", "212555", "TOO_SHORT"), ("too long", "21255501400", "TOO_LONG"),
        ("not in use", "1112223333", "INVALID_NUMBER"), ("elsewhere", "+442079460958", "COUNTRY_MISMATCH"),
    ):  # fmt: skip
        yield cell(name, text, code)
    for name, country, code in (
        ("region", "US", ""), ("small letters", "us", ""), ("plus", "+1", ""), ("zeros", "001", ""),
        ("float", "1.0", ""), ("empty", "", "MISSING_VALUE"), ("name", "Atlantis", "INVALID_COUNTRY_CODE"),
        ("unknown", "999", "INVALID_COUNTRY_CODE"), ("NULL", "NULL", "MISSING_VALUE"),
        ("three letters", "USA", ""), ("its name", "United States", ""), ("in German", "Vereinigte Staaten", ""),
        ("code and letters", "+1 (US)", ""), ("quoted", '"1"', ""), ("a name of two", "Congo", "INVALID_COUNTRY_CODE"),
        ("two that differ", "+44 (US)", "INVALID_COUNTRY_CODE"),
    ):  # fmt: skip
        yield Case(f"country, {name}", csv_bytes([HEADER, [country, "2125550140", "x", "", ""]]), None, [code])
    without = [["Phone Number", "Voice", "SMS"], ["+12125550140", "TRUE", "FALSE"], ["2125550141", "TRUE", "FALSE"]]
    yield Case("country, no column", csv_bytes(without), None, ["", "MISSING_VALUE"], [12125550140, 0])
    yield Case(
        "country, empty with plus", csv_bytes([HEADER, ["", "+12125550140", "x", "", ""]]), None, [""], [12125550140]
    )
    yield cell("vanity number", "1-800-FLOWERS", "", 18003569377, "COUNTRY_CODE_REPEATED", "LETTERS_CONVERTED")
    yield cell("of Namibia", "61 234 5678", "", 264612345678, country="NA")


def booleans() -> Iterator[Case]:
    for word in (
        "TRUE", "false", "Yes", "no", "1", "0", "1.0", "x", "X", "ja", "Nein", "oui", "non", "si", "sí", "wahr",
        "FALSCH", "verdadero", "vero", "waar", "sim", "não", "on", "off", "", "NULL", "n/a", "'TRUE",
        "-", "–", "—", "--", '="TRUE"', '="FALSE"',
    ):  # fmt: skip
        yield boolean(word)
    for word in ("perhaps", "2", "-1", "truee", "-TRUE", "#N/A", "TRUE FALSE"):
        yield boolean(word, sound=False)


def shapes() -> Iterator[Case]:
    wide, narrow = [*ROWS[1], "surplus"], ROWS[1][:3]
    yield Case("shape, a row too wide", csv_bytes([HEADER, ROWS[0], wide, ROWS[2]]), None, ["", "ROW_TOO_WIDE", ""])
    yield sound("shape, empty cells too many", csv_bytes([HEADER, ROWS[0], [*ROWS[1], "", " "], ROWS[2]]))
    yield Case("shape, a row too narrow", csv_bytes([HEADER, ROWS[0], narrow, ROWS[2]]), None, SOUND)
    yield Case("shape, a row of one cell", csv_bytes([HEADER, ROWS[0], ["1"]]), None, ["", "MISSING_VALUE"])
    yield Case("shape, blank rows", csv_bytes([HEADER, [], ROWS[0], [" "] * 5, ROWS[1]]), None,
               ["BLANK_ROW", "", "BLANK_ROW", ""])  # fmt: skip
    yield Case(
        "shape, a remark below",
        csv_bytes([*TABLE, [], ["Total: 3"]]),
        None,
        [*SOUND, "BLANK_ROW", "INVALID_COUNTRY_CODE"],
    )
    unticked = ["", "", "FALSE", "falsch", "0"]
    yield Case(
        "shape, unticked boxes", csv_bytes([*TABLE, unticked, unticked]), None, [*SOUND, "BLANK_ROW", "BLANK_ROW"]
    )
    yield Case("shape, nothing but unticked boxes", csv_bytes([HEADER, unticked, unticked]), Code.EMPTY_FILE)
    yield Case("shape, a ticked box", csv_bytes([*TABLE, ["", "", "TRUE", "", ""]]), None, [*SOUND, "MISSING_VALUE"])
    yield sound("shape, blank rows at the end", csv_bytes(TABLE) + b"\r\n" * 5)
    yield Case("shape, twice", csv_bytes([*TABLE, ROWS[0]]), None, [*SOUND, "DUPLICATE_IN_FILE"])
    other = ["US", "+1 212 555 0140", "FALSE", "TRUE", ""]
    yield Case("shape, twice and different", csv_bytes([*TABLE, other]), None, [*SOUND, "CONFLICTING_DUPLICATE"])
    yield sound(
        "shape, a report sent again", csv_bytes([[*row, "x"] for row in [[*HEADER], *ROWS]]).replace(b",x", b",_x")
    )


def typed_cells() -> Iterator[Case]:
    def row(number: Cell, voice: Cell = True, sms: Cell = None) -> bytes:
        return xlsx_bytes([HEADER, [1, number, voice, sms]])

    yield Case("typed, whole number", row(2125550140), None, [""], [12125550140])
    yield Case("typed, with plus lost", row(12125550140), None, [""], [12125550140])
    yield Case("typed, text", row("2125550140", "TRUE"), None, [""], [12125550140])
    yield Case("typed, fraction", row(2125550140.5), None, ["INVALID_CHARACTER"])
    yield Case("typed, error", row(ErrorCell("#N/A")), None, ["INVALID_CHARACTER"])
    yield Case("typed, error as capability", row(2125550140, ErrorCell("#VALUE!")), None, ["INVALID_BOOLEAN"])
    yield Case("typed, numbers as capability", row(2125550140, 1, 0), None, [""])
    yield Case("typed, empty", row(None), None, ["MISSING_VALUE"])
    table: list[list[Cell]] = [[*HEADER], [1, 2125550140, True, False, None]]
    for name in ("xls", "xlsb", "ods"):
        yield Case(f"typed, {name}", getattr(other_workbooks, f"{name}_bytes")(table), None, [""], [12125550140])


def broken() -> Iterator[Case]:
    for name, content, code in (
        ("nothing", b"", Code.EMPTY_FILE), ("blanks", b" \n\t", Code.EMPTY_FILE),
        ("NULs", bytes(999), Code.UNSUPPORTED_TYPE),
        ("PDF", sheets.PDF, Code.UNSUPPORTED_TYPE), ("PNG", sheets.PNG, Code.UNSUPPORTED_TYPE),
        ("HTML", sheets.HTML, Code.UNSUPPORTED_TYPE), ("JSON", b'{"a": 1}', Code.UNSUPPORTED_TYPE),
        ("XML", b"<?xml version='1.0'?><a/>", Code.UNSUPPORTED_TYPE), ("RTF", b"{\\rtf1 a}", Code.UNSUPPORTED_TYPE),
        ("7-Zip", b"7z\xbc\xaf\x27\x1c", Code.UNSUPPORTED_TYPE), ("RAR", b"Rar!\x1a\x07", Code.UNSUPPORTED_TYPE),
        ("Word", sheets.ole2_bytes("WordDocument"), Code.UNSUPPORTED_TYPE),
        ("encrypted workbook", sheets.ole2_bytes("EncryptedPackage"), Code.ENCRYPTED_FILE),
        ("encrypted zip", sheets.encrypted_zip(b"a"), Code.ENCRYPTED_FILE),
        ("two files in a zip", zip_bytes([("a", b"a"), ("b", b"b")]), Code.UNSUPPORTED_TYPE),
        ("nothing in a zip", zip_bytes([]), Code.EMPTY_FILE),
        ("zip in a zip", zip_bytes([("a", zip_bytes([("b", b"b")]))]), Code.UNSUPPORTED_TYPE),
        ("gzip cut off", gzip_bytes(csv_bytes(TABLE * 99))[:-20], Code.UNREADABLE_FILE),
        ("workbook cut off", sheets.truncated(xlsx_bytes(TABLE)), Code.UNREADABLE_FILE),
        ("xls cut off", sheets.truncated(other_workbooks.xls_bytes(TABLE * 99)), Code.UNREADABLE_FILE),
        ("xlsb cut off", sheets.truncated(other_workbooks.xlsb_bytes(TABLE)), Code.UNREADABLE_FILE),
        ("ods cut off", sheets.truncated(other_workbooks.ods_bytes(TABLE)), Code.UNREADABLE_FILE),
        ("workbook with broken XML", sheets.broken_xml(), Code.UNREADABLE_FILE),
        ("workbook that lists a part twice", sheets.doubled_part(), Code.UNREADABLE_FILE),
        ("workbook without rows", xlsx_bytes([HEADER]), Code.EMPTY_FILE),
        ("no text in its encoding", csv_bytes(TABLE)[:-9] + b"\x81", Code.BAD_ENCODING),
    ):  # fmt: skip
        yield Case(f"broken, {name}", content, code)


def kept_files() -> Iterator[Case]:
    """What other programs wrote: none is damaged, whatever another reader makes of it."""
    for name, kept in KEPT.items():
        codes = [kept.codes.get(place, "") for place in range(kept.rows)]
        numbers = [390669812345, 2250701234567] if name.startswith("06") else ()
        yield Case(f"kept, {name}", (FILES / name).read_bytes(), None, codes, numbers)


def pollock() -> Iterator[Case]:
    """The kinds of pollution of the benchmark, each on a table of numbers in which every cell is quoted."""
    source = csv_bytes(TABLE, quoting=csv.QUOTE_ALL)
    text = source.decode()
    lines = text.splitlines(keepends=True)
    yield sound("pollock, source", source)
    yield Case("pollock, file_no_payload", b"", Code.EMPTY_FILE)
    yield sound("pollock, file_no_trailing_newline", source.rstrip(b"\r\n"))
    yield sound("pollock, file_double_trailing_newline", source + b"\r\n")
    yield sound("pollock, file_no_header", csv_bytes([row[:4] for row in ROWS], quoting=csv.QUOTE_ALL))
    # A second row of names is a row that names no number: told, and nothing else lost.
    repeated = "INVALID_COUNTRY_CODE"
    yield Case("pollock, file_header_multirow_2", (lines[0] + text).encode(), None, [repeated, *SOUND])
    yield Case("pollock, file_header_multirow_3", (lines[0] * 2 + text).encode(), None, [repeated, repeated, *SOUND])
    yield Case("pollock, file_header_only", lines[0].encode(), Code.EMPTY_FILE)
    yield Case("pollock, file_one_data_row", "".join(lines[:2]).encode(), None, [""])
    yield sound("pollock, file_preamble", b'"Numbers","","","",""\r\n"","","","",""\r\n' + source)
    for name, width, code in (("less", 4, repeated), ("same", 5, repeated), ("more", 6, "ROW_TOO_WIDE")):
        second = csv_bytes(
            [[*row, "x"][:width] for row in [HEADER, *[["1", "2125550150", "x", "", ""]]]], quoting=csv.QUOTE_ALL
        )
        codes = [*SOUND, code, "ROW_TOO_WIDE" if width > 5 else ""]
        yield Case(f"pollock, file_multitable_{name}", source + second, None, codes)
    yield Case(
        "pollock, row_more_sep at the end", (lines[0] + lines[1].rstrip() + ",\r\n" + lines[2]).encode(), None, ["", ""]
    )
    # One cell is moved to the right: the row is told to be too wide only if text falls out; here a cell is unreadable.
    moved = lines[1].replace('"1",', '"1",,', 1)
    yield Case("pollock, row_more_sep inside", (lines[0] + moved + lines[2]).encode(), None, ["MISSING_VALUE", ""])
    joined = lines[1].replace('"1","', '"1""', 1)
    yield Case("pollock, row_less_sep", (lines[0] + joined + lines[2]).encode(), None, ["INVALID_COUNTRY_CODE", ""])
    quoted = lines[1].replace('"TRUE"', '"TRUE""', 1)
    yield Case("pollock, row_extra_quote", (lines[0] + quoted + lines[2]).encode(), None, ["INVALID_BOOLEAN", ""])
    spaces = lines[1].replace(",", " ")
    yield Case(
        "pollock, row_field_delimiter_0x20", (lines[0] + spaces + lines[2]).encode(), None, ["INVALID_COUNTRY_CODE", ""]
    )
    for name, end in (("0xA", "\n"), ("0xD", "\r")):
        yield sound(f"pollock, file_record_delimiter_{name}", csv_bytes(TABLE, quoting=csv.QUOTE_ALL, newline=end))
    for name, mark in (("0x9", "\t"), ("0x3B", ";")):
        yield sound(f"pollock, file_field_delimiter_{name}", csv_bytes(TABLE, quoting=csv.QUOTE_ALL, delimiter=mark))
    yield sound("pollock, file_field_delimiter_0x2C_0x20", text.replace('","', '", "').encode())
    yield Case("pollock, file_field_delimiter_0x20", text.replace('","', '" "').encode(), Code.NO_HEADER)
    yield sound("pollock, file_quotation_char_0x27", text.replace('"', "'").encode())
    yield sound("pollock, file_quotation_char_none", text.replace('"', "").encode())
    remark = [[*row, 'a "b" c'] for row in TABLE]
    escaped = csv_bytes(remark, quoting=csv.QUOTE_ALL)
    yield sound("pollock, file_escape_char_0x5C", escaped.replace(b'""', b'\\"').replace(b',\\"', b',""'))
    yield sound("pollock, file_escape_char_none", escaped.replace(b'""b""', b'"b"'))
