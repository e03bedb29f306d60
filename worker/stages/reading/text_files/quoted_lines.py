"""Remove quotation marks around whole lines: some programs quote a row of cells as if it were one cell."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from worker.stages.reading.text_files.csv_records import lines_of
from worker.stages.reading.text_files.encoding import Text, end_of

NOTE = "Every line was enclosed in quotation marks; they were removed."
_LINE = re.compile(r'"((?:[^"\r\n]|"")*+)"[ \t]*(\r\n|\r|\n|)')


def unquoted_head(head: str) -> str | None:
    """Return the lines without the quotation marks around them; None unless all lines that are not blank have them."""
    lines = [line for line in lines_of(io.StringIO(head, newline="")) if line.strip()]
    if not lines or not all(map(_LINE.fullmatch, lines)):
        return None
    return "".join(map(_unquoted, lines))


def unquoted_text(text: Text, folder: Path) -> Text:
    """Remove them from a whole text, written to a file in `folder`; other lines stay as they are."""
    target = folder / "text.unquoted"
    quotes = 0
    with target.open("w", encoding="utf-8", newline="") as sink:
        for line in _lines(text):
            plain = _unquoted(line)
            quotes += plain.count('"')
            sink.write(plain)
    return replace(text, path=target, start=0, end=end_of(target), quotes=quotes, notes=(*text.notes, NOTE))


def _lines(text: Text) -> Iterator[str]:
    with text.path.open("rb") as file:
        file.seek(text.start)
        yield from lines_of(io.TextIOWrapper(file, encoding="utf-8", newline=""))


def _unquoted(line: str) -> str:
    match = _LINE.fullmatch(line)
    return line if match is None else match[1].replace('""', '"') + match[2]
