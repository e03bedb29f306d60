"""Read delimited text (RFC 4180, with common errors) as rows: detect the delimiter by evidence, then stream.

Arrow's reader is the fast path. The tolerant reader takes over, from the row where it is needed, for unbalanced
quotation marks, cells that span lines, and tables with many rows of unusual width. Both give the same rows.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from schemas.columns import ANY_FORM, recognise
from worker.stages.reading.model import HEADER_WITHIN, Block, Cells, Limits, ReadOptions
from worker.stages.reading.text_files import arrow_csv
from worker.stages.reading.text_files.csv_records import Records, lines_of
from worker.stages.reading.text_files.encoding import Text, open_text
from worker.stages.reading.text_files.quoted_lines import unquoted_head, unquoted_text
from worker.stages.reading.text_files.stray_quotes import NO_ROWS, Rows, rows_like
from worker.stages.reading.width import columns_of, is_blank

DELIMITERS = (",", ";", "\t", "|")
SAMPLE = 1 << 16
SAMPLE_ROWS = 200
# Without a known header, lines count as rows if this share has the same width, of at least this many columns.
MOST_EVEN, LEAST_COLUMNS = 0.8, 4
MOST_NAMED = 5
TOLERANT_ROWS = 1 << 16
# Excel's own way to name the delimiter: a separate line that Excel neither shows nor counts.
_SEP_LINE = re.compile(r"sep=([,;\t|])(?:\r\n|\r|\n)", re.IGNORECASE)


@dataclass(frozen=True)
class Delimited:
    """A `Source` of delimited text; `sample` has its first rows, from row 1."""

    text: Text
    delimiter: str
    sample: tuple[Cells, ...]
    cell_chars: int
    spaced: bool  # blanks come between delimiters and quotation marks
    rows: Rows
    strays: dict[int, None] = field(default_factory=dict)  # rows with stray quotation marks, so far
    format: str = "csv"
    sheet: str | None = None

    @property
    def encoding(self) -> str:
        return self.text.encoding

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.text.notes, *self._on_strays())

    def _on_strays(self) -> Iterator[str]:
        if self.strays:
            rows = ", ".join(f"{row:,}" for row in islice(self.strays, MOST_NAMED))
            more = " and more" if len(self.strays) > MOST_NAMED else ""
            yield f"Stray quotation marks enclosed whole rows; every line was read as a row (row {rows}{more})."

    def top(self) -> Iterator[tuple[int, Cells]]:
        yield from enumerate(self._records(), start=1)

    def reach(self, header_row: int) -> int:
        """Return the widest row of the sample; text further down beyond the last column makes its row too wide."""
        return max((_last_filled(cells) for cells in self.sample[header_row:]), default=0)

    def blocks(self, width: int) -> Iterator[Block]:
        done: int | None = 0
        if self.text.quotes % 2 == 0 and not self.spaced:
            done = yield from arrow_csv.blocks(self._layout(), width)
        if done is not None:
            yield from self._tolerant_blocks(width, done)

    def _layout(self) -> arrow_csv.Layout:
        widths = Counter(map(len, self.sample))
        rows = max(1, len(self.sample))
        row_bytes = sum(sum(map(len, cells)) + len(cells) for cells in self.sample) / rows
        return arrow_csv.Layout(self.text, self.delimiter, widths.most_common(1)[0][0], row_bytes, self.cell_chars)

    def _tolerant_blocks(self, width: int, done: int) -> Iterator[Block]:
        records = islice(self._records(), done, None)
        while rows := list(islice(records, TOLERANT_ROWS)):
            yield Block(np.arange(done + 1, done + 1 + len(rows)), *columns_of(rows, width))
            done += len(rows)

    def _records(self) -> Iterator[Cells]:
        with arrow_csv.stream(self.text) as stream:
            lines = io.TextIOWrapper(stream, encoding="utf-8", newline="")
            records = Records(lines_of(lines), self.delimiter, self.cell_chars, spaced=self.spaced, rows=self.rows)
            for cells in records:
                if records.strays:
                    self._note(records.strays)
                yield cells

    def _note(self, strays: list[int]) -> None:
        if len(self.strays) <= MOST_NAMED:
            self.strays.update(dict.fromkeys(strays))
        strays.clear()


def open_delimited(
    path: Path, limits: Limits, folder: Path, hints: ReadOptions, notes: tuple[str, ...] = ()
) -> Delimited:
    """Decode the file and examine its head. Raises `FileFault` BAD_ENCODING or UNREADABLE_FILE."""
    text = open_text(path, folder, hints.encoding)
    text = replace(text, notes=(*notes, *text.notes))
    head = _head(text)
    separator_line = _SEP_LINE.match(head)
    if separator_line:
        text = replace(text, start=text.start + separator_line.end())
        head = head[separator_line.end() :]
    candidates = hints.delimiter or (separator_line[1] if separator_line else DELIMITERS)
    best, sample = _best(head, candidates, limits.cell_chars)
    plain = unquoted_head(head)
    if plain is not None:
        delimiter, split = _best(plain, candidates, limits.cell_chars)
        if _tells_more(split, sample):
            text, head, best, sample = unquoted_text(text, folder), plain, delimiter, split
    rows = rows_like(sample)
    sample = _rows(head, best, limits.cell_chars, rows)
    return Delimited(text, best, tuple(sample), limits.cell_chars, _is_spaced(head, best), rows)


def _best(head: str, candidates: Iterable[str], cell_chars: int) -> tuple[str, list[Cells]]:
    """Return the delimiter with the best evidence, and the rows that it gives."""
    samples = {delimiter: _rows(head, delimiter, cell_chars) for delimiter in candidates}
    best = max(samples, key=lambda delimiter: _evidence(samples[delimiter]))
    return best, samples[best]


def _tells_more(unquoted: list[Cells], quoted: list[Cells]) -> bool:
    """Return whether lines become rows once the quotation marks around them are removed."""
    (known_columns, even), (known_before, _) = _evidence(unquoted), _evidence(quoted)
    return known_columns > known_before or (
        known_columns == 0 and even >= MOST_EVEN and rows_like(unquoted).width >= LEAST_COLUMNS
    )


def _head(text: Text) -> str:
    with text.path.open("rb") as file:
        file.seek(text.start)
        size = text.end - text.start
        head = file.read(min(size, SAMPLE)).decode(errors="ignore")
    if size <= SAMPLE:
        return head
    # The last line is truncated and must not be judged as a row.
    return head[: max(head.rfind("\n"), head.rfind("\r")) + 1] or head


def _rows(head: str, delimiter: str, cell_chars: int, rows: Rows = NO_ROWS) -> list[Cells]:
    lines = lines_of(io.StringIO(head, newline=""))
    return list(Records(lines, delimiter, cell_chars, spaced=_is_spaced(head, delimiter), rows=rows))


def _is_spaced(head: str, delimiter: str) -> bool:
    """Return whether blanks precede quoted cells: `"a", "b"`. Only the tolerant path reads that."""
    return re.search(rf'"{re.escape(delimiter)} +"', head) is not None


def _evidence(rows: list[Cells]) -> tuple[int, float]:
    """Return the evidence for a delimiter: how many header cells are known, then how even the rows are."""
    filled = [cells for cells in rows[:SAMPLE_ROWS] if not is_blank(cells)]
    if not filled:
        return 0, 0.0
    recognised = max(sum(recognise(cell, ANY_FORM) is not None for cell in cells) for cells in filled[:HEADER_WITHIN])
    width, times = Counter(map(len, filled)).most_common(1)[0]
    return recognised, times / len(filled) if width > 1 else 0.0


def _last_filled(cells: Cells) -> int:
    return max((index for index, cell in enumerate(cells, start=1) if cell.strip()), default=0)
