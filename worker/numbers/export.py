"""Numbers as files: CSV, JSON lines, and the rows of a worksheet. Renders whole pages as columns; no queries.

CSV and workbook can be uploaded again and then change nothing: the columns for upload are those of the sample file; the
others begin with `_`, which uploads ignore (R10). JSON lines are the objects of the list, without history.

A page has few distinct tenants, carriers and countries: their texts are made once, and lines are joined from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import SimpleNamespace
from typing import Any, cast
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic_core import to_json

from schemas.capabilities import CAPABILITIES, CAPABILITY_NAMES
from schemas.columns import Column, name_of
from schemas.permissions import Actor
from worker.numbers import number_bodies
from worker.numbers.export_names import Names
from worker.numbers.export_pages import FLAGS, ExportPage, halves
from worker.numbers.queries import NumberView
from worker.phone import region
from worker.reports.render import BOM, csv_lines
from worker.spreadsheet.formula_escape import neutralise

COLUMNS = (
    name_of(Column.COUNTRY_CODE),
    name_of(Column.PHONE_NUMBER),
    *(capability.label for capability in CAPABILITIES),
    "_status",
    "_tenant",
    "_uploaded_by",
    "_voice_carrier",
    "_sms_carrier_profile",
    "_voice_user",
    "_sms_user",
    "_country",
)
_LEAST_PLAIN = 10**6  # a shorter number with its plus is escaped in CSV (`formula_escape`)
_MOST_KNOWN = 20_000  # combinations whose JSON is kept from one page to the next
_FORWARDED = 1 << FLAGS.index("voice_forwarded")
_VOICE_USED, _SMS_USED, _IS_HELD = (1 << len(FLAGS) + place for place in range(3))  # bits above the flags
# Parts of a number as JSON that stand for others. No text in JSON contains them: quotes are escaped there.
_BEFORE = '{"e164":"+0","country":""'
_NO_CARRIERS = ',"voice_carrier":null,"sms_carrier_profile":null'
_NO_USERS = ',"voice_user":null,"sms_user":null,'
_APART = {"created_at", "updated_at", "history"}
_SERVICES = pa.array(["", *(f',"service":"{service}"}}' for service in ("voice", "forwarded", "sms"))])


def csv_header() -> bytes:
    """Return the first line of the CSV, with the byte order mark."""
    return BOM + csv_lines(pa.table([pa.array([name]) for name in COLUMNS], names=COLUMNS))


def csv_rows(names: Names, page: ExportPage) -> bytes:
    """Return numbers as CSV lines (RFC 4180, UTF-8). Cells that a spreadsheet program would run are escaped."""
    return _rows(names, page, _CSV)


def sheet_rows(names: Names, page: ExportPage) -> bytes:
    """Return numbers as rows of a worksheet (ECMA-376 18.3.1.73), with texts in the cells themselves."""
    return _rows(names, page, _SHEET)


@dataclass(frozen=True)
class _Cells:
    """A form of rows: `quote` turns texts into cells; `begin`, `between` and `end` are around the cells of a row."""

    quote: Callable[[pa.StringArray], pa.StringArray]
    begin: str = ""
    between: str = ""
    end: str = ""

    def of(self, values: NDArray[Any] | pa.Array, texts_of: Callable[[Any], tuple[str, ...]]) -> pa.StringArray:
        """Return one or more cells of each value; `texts_of` is asked once for each distinct value."""
        found = _distinct(values)
        columns = zip(*map(texts_of, found.dictionary.to_pylist()), strict=True)
        quoted = [self.quote(pa.array(column, pa.string())) for column in columns]
        return pc.binary_join_element_wise(*quoted, self.between).take(found.indices)


def _csv_cells(texts: pa.StringArray) -> pa.StringArray:
    quoted = pc.replace_substring(neutralise(texts), '"', '""')
    return pc.binary_join_element_wise('"', quoted, '"', "")


def _sheet_cells(texts: pa.StringArray) -> pa.StringArray:
    return pa.array([_sheet_cell(text) for text in texts.to_pylist()], pa.string())


def _sheet_cell(text: str) -> str:
    if not text:
        return "<c/>"
    kept = "".join(character for character in text if _is_xml(character))
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(kept)}</t></is></c>'


def _is_xml(character: str) -> bool:
    """Return whether XML 1.0 allows a character; controls are not even allowed as references."""
    return character in "\t\n\r" or (character >= " " and character not in "\ufffe\uffff")


_CSV = _Cells(_csv_cells, between=",", end="\n")
_SHEET = _Cells(_sheet_cells, "<row>", "", "</row>")


def _rows(names: Names, page: ExportPage, cells: _Cells) -> bytes:
    if not len(page):
        return b""
    voice, sms = halves(page.users)
    users = cells.quote(pa.array(["", *names.users.names], pa.string()))
    opening, closing = _around_number(cells)
    digits, is_plain = _digits(page), int(page.e164[0]) >= _LEAST_PLAIN
    number = digits if is_plain else cells.quote(pc.binary_join_element_wise("+", digits, ""))
    return _joined(
        cells.begin,
        cells.of(_calling_codes(page), lambda code: (str(code),)),
        cells.between + (opening if is_plain else ""),
        number,
        (closing if is_plain else "") + cells.between,
        cells.of(_facts(page), _words),
        cells.between,
        cells.of(page.tenants, lambda pair: tuple(names.tenants[tenant].name for tenant in _ids(pair))),
        cells.between,
        cells.of(page.carriers, lambda pair: tuple(names.carriers[carrier] for carrier in _ids(pair))),
        cells.between,
        names.of_users(voice, users),
        cells.between,
        names.of_users(sms, users),
        cells.between,
        cells.of(page.countries, lambda country: (country,)),
        cells.end,
    )


def _around_number(cells: _Cells) -> tuple[str, str]:
    """Return what is before the digits of a number in its cell, and what is after them."""
    digits = str(10**14)
    opening, _, closing = str(cells.quote(pa.array([f"+{digits}"]))[0]).partition(digits)
    return opening, closing


def _digits(page: ExportPage) -> pa.StringArray:
    return pc.cast(pa.array(page.e164), pa.string())


def _calling_codes(page: ExportPage) -> NDArray[np.int16]:
    return region.calling_code_numbers(page.e164)


def _facts(page: ExportPage) -> NDArray[np.int64]:
    """Return the flags, with the bits `_VOICE_USED` and `_SMS_USED` where a user has the number, and `_IS_HELD`."""
    holder, uploader = halves(page.tenants)
    voice, sms = halves(page.users)
    facts = page.flags & ~_FORWARDED
    for bit, is_set in ((_VOICE_USED, voice != 0), (_SMS_USED, sms != 0), (_IS_HELD, holder != uploader)):
        facts += np.where(is_set, bit, 0)
    return facts


def _words(facts: int) -> tuple[str, ...]:
    """Return the cells of the capabilities and of the status."""
    capabilities = ("TRUE" if facts >> FLAGS.index(name) & 1 else "FALSE" for name in CAPABILITY_NAMES)
    return (*capabilities, "assigned" if facts & (_VOICE_USED | _SMS_USED | _IS_HELD) else "unassigned")


def _ids(pair: int) -> tuple[int, int]:
    return pair >> 32, pair & 0xFFFFFFFF


def _distinct(values: NDArray[Any] | pa.Array) -> pa.DictionaryArray:
    return (values if isinstance(values, pa.Array) else pa.array(values)).dictionary_encode()


def _encoded(values: NDArray[Any] | pa.Array, text_of: Callable[[Any], str]) -> pa.StringArray:
    """Return the text of each value; `text_of` is asked once for each distinct one."""
    found = _distinct(values)
    return pa.array([text_of(value) for value in found.dictionary.to_pylist()], pa.string()).take(found.indices)


class JsonLines:
    """The objects of a list as JSON lines, as `actor` sees them: with what it may do with each (R3).

    Whether it may is asked once for each combination of holder, uploader, capabilities and use.
    """

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._known: dict[tuple[int, int], tuple[str, str, str]] = {}

    def rows(self, names: Names, page: ExportPage) -> bytes:
        """Return numbers as lines."""
        if not len(page):
            return b""
        which, combinations = self._combinations(names, page)
        flags, status, end = (pa.array(texts, pa.string()).take(which) for texts in zip(*combinations, strict=True))
        voice, sms = halves(page.users)
        users, is_forwarded = _users(names), page.flags & _FORWARDED != 0
        return _joined(
            '{"e164":"+',
            _digits(page),
            '","country":',
            _encoded(page.countries, _json),
            flags,
            _encoded(page.carriers, partial(_carriers, names)),
            status,
            names.of_users(voice, users),
            _SERVICES.take(pa.array(np.where(voice == 0, 0, np.where(is_forwarded, 2, 1)))),
            ',"sms_user":',
            names.of_users(sms, users),
            _SERVICES.take(pa.array(np.where(sms == 0, 0, 3))),
            end,
            ',"created_at":',
            _encoded(page.created_jobs, lambda job: _json(_of_job(names, job, "created_at"))),
            ',"updated_at":',
            _encoded(page.last_jobs, lambda job: _json(_of_job(names, job, "ended_at"))),
            "}\n",
        )

    def _combinations(self, names: Names, page: ExportPage) -> tuple[pa.Array, list[tuple[str, str, str]]]:
        """Return for each number the index of its combination in a list, and the list, as `_around` has it."""
        tenants = pa.array(page.tenants).dictionary_encode()
        keys = tenants.indices.to_numpy().astype(np.int64) << 32 | _facts(page)
        found = pa.array(keys).dictionary_encode()
        pairs = tenants.dictionary.to_pylist()
        return found.indices, [
            self._around(names, pairs[key >> 32], key & 0xFFFFFFFF) for key in found.dictionary.to_pylist()
        ]

    def _around(self, names: Names, pair: int, facts: int) -> tuple[str, str, str]:
        """Return what is between country and carriers, between carriers and users, and after the users."""
        if (pair, facts) not in self._known:
            if len(self._known) > _MOST_KNOWN:
                self._known.clear()
            text = number_bodies.without_users(self._actor, _view(names, pair, facts)).model_dump_json(exclude=_APART)
            flags, _, rest = text.removeprefix(_BEFORE).partition(_NO_CARRIERS)
            status, _, end = rest.partition(_NO_USERS)
            self._known[pair, facts] = (f'{flags},"voice_carrier":', f'{status},"voice_user":', f",{end[:-1]}")
        return self._known[pair, facts]


def _view(names: Names, pair: int, facts: int) -> NumberView:
    holder, uploader = (names.tenants[tenant] for tenant in _ids(pair))
    row = SimpleNamespace(
        e164=0,
        country="",
        **{name: bool(facts >> FLAGS.index(name) & 1) for name in CAPABILITY_NAMES},
        voice_carrier=None,
        sms_carrier_profile=None,
        voice_user_id=1 if facts & _VOICE_USED else None,
        sms_user_id=1 if facts & _SMS_USED else None,
    )
    return NumberView(cast("Any", row), holder, uploader)


def _carriers(names: Names, pair: int) -> str:
    voice, sms = (_json(names.carriers[carrier] if carrier else None) for carrier in _ids(pair))
    return f'{voice},"sms_carrier_profile":{sms}'


def _of_job(names: Names, job: int, name: str) -> datetime | None:
    return getattr(names.jobs[job], name) if job in names.jobs else None


def _users(names: Names) -> pa.StringArray:
    """Return no user, and each user of the page as JSON (`schemas.http.resources.NumberUser`) up to the service."""
    users = names.users
    parts: list[pa.StringArray | str] = ['{"id":"', pa.array(users.public_ids, pa.string())]
    for label, texts in (('","name":', users.names), (',"email":', users.emails), (',"kind":', users.kinds)):
        parts += [label, _json_texts(pa.array(texts, pa.string()))]
    return pa.concat_arrays([pa.array(["null"]), pc.binary_join_element_wise(*parts, "")])


def _json_texts(texts: pa.StringArray) -> pa.StringArray:
    if pc.any(pc.match_substring_regex(texts, r'["\\\x00-\x1f]')).as_py():
        return pa.array([_json(text) for text in texts.to_pylist()], pa.string())
    return pc.binary_join_element_wise('"', texts, '"', "")


def _json(value: str | datetime | None) -> str:
    return to_json(value).decode()


def _joined(*parts: pa.StringArray | str) -> bytes:
    """Return the texts of all rows, one after the other."""
    _, _, text = pc.binary_join_element_wise(*parts, "").buffers()
    joined: bytes = text.to_pybytes()
    return joined
