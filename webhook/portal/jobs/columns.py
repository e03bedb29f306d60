"""The form that says which column of a file is which (R31), and has the stored file checked again.

A menu for each column of the file, so it works without JavaScript. Suggestions are filled in; nothing is read by them
until the form is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from flask import Response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from schemas.capabilities import CAPABILITIES, CARRIER_FIELDS
from schemas.column_mapping import CONFIDENT
from schemas.columns import SPECS, UPLOAD_FORM, Column, name_of
from schemas.http import resources
from schemas.http.mapping import FileColumn
from schemas.http.rechecks import RecheckBody
from schemas.roles import Operation
from webhook.http.access import needs
from webhook.http.request_bodies import validated
from webhook.portal.jobs import labels
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.forms import Form
from webhook.portal.shared.login_required import session
from webhook.services import jobs, rechecks, uploads

MOST_SHOWN = 60  # columns of the file that have a menu
MOST_VALUES = 12  # values of a column whose meaning the form asks for
CONSTANT, FROM_COLUMN = "text:", "column:"  # what the menu of an absent column offers
_BOOLEANS = tuple(capability.column for capability in CAPABILITIES)
_BLOCKS = (Column.END_NUMBER, Column.BLOCK_SIZE)
OURS = tuple(spec.column for spec in SPECS if spec.column in UPLOAD_FORM.understood)
_CARRIER_MENUS = {field.column: field.capability for field in CARRIER_FIELDS}
# What most numbers are, where the file does not say: filled in, for a person to confirm.
_USUAL = {name_of(Column.VOICE): "TRUE", name_of(Column.SMS): "FALSE"}
_READING = ("number_format", "accept", "delimiter", "encoding")


@dataclass(frozen=True)
class Absent:
    """A column of ours that no menu of the file has: its choices, as (value, text), or none for a text field."""

    column: Column
    field: str
    label: str
    choices: tuple[tuple[str, str], ...]
    chosen: str
    is_required: bool
    is_carrier: bool


@dataclass(frozen=True)
class Values:
    """What the values of a column of the file mean as a capability: (field, value, count, chosen) each."""

    label: str
    header: str
    rows: tuple[tuple[str, str, int, str], ...]


@dataclass(frozen=True)
class Choice:
    """All that the form shows. `state`: the state of the job that it is for."""

    columns: tuple[FileColumn, ...]
    chosen: Mapping[int, str]
    menu: tuple[tuple[str, str], ...]
    absent: tuple[Absent, ...]
    values: tuple[Values, ...]
    header_rows: tuple[tuple[int, str], ...]
    left_out: int
    profile_name: str
    state: str


@bp.get("/jobs/<job_id>/columns")
@needs(Operation.UPLOAD)
def job_columns(job_id: str) -> Any:  # noqa: ANN401 - the page, or a redirect
    job = jobs.get(job_id)
    if not job.can_recheck or job.created_by.tenant.id != session().tenant.public_id:
        return redirect(url_for("portal.job", job_id=job_id), 303)
    return _page(job, Form.fresh(url_for("portal.choose_columns", job_id=job_id)))


@bp.post("/jobs/<job_id>/columns")
@needs(Operation.UPLOAD)
def choose_columns(job_id: str) -> AnyResponse | tuple[str, int]:
    """Have the file checked again with the columns as chosen."""
    form, job = Form.sent(), jobs.get(job_id)
    with form.faults():
        body = _body(job, form)
        if not form.errors:
            return Response(status=303, headers={"Location": _following(job_id, body, form)})
    return _page(job, form), form.status


def _following(job_id: str, body: RecheckBody, form: Form) -> str:
    state = form.value("state")
    return url_for("portal.job", job_id=rechecks.recheck(job_id, body, f'"{state}"' if state else None))


def _page(job: resources.Job, form: Form) -> str:
    return render_template("portal/job_columns.html", job=job, form=form, choice=choice_of(job, form), say=labels)


def choice_of(job: resources.Job, form: Form) -> Choice:
    """Return what the form shows: as it was sent, else as the file was read, else as we suggest."""
    file = job.file or resources.JobFile(name="", size=0, sha256="")
    columns = tuple(file.columns[:MOST_SHOWN])
    chosen = {column.index: column.column or "" if column.confidence >= CONFIDENT else "" for column in columns}
    if form.fields:
        chosen = {column.index: form.value(_menu(column)) for column in columns}
    sources = {name: index for index, name in chosen.items() if name}
    absent = tuple(_absent(file, form, columns, sources))
    sources |= {
        name_of(each.column): int(each.chosen.removeprefix(FROM_COLUMN))
        for each in absent
        if each.chosen.startswith(FROM_COLUMN) and each.chosen.removeprefix(FROM_COLUMN).isdecimal()
    }
    return Choice(
        columns,
        chosen,
        tuple((name_of(column), name_of(column)) for column in OURS),
        absent,
        tuple(_values(file, form, columns, sources)),
        tuple(_header_rows(file)),
        len(file.columns) - len(columns),
        form.value("profile_name", PurePath(file.name).stem[:100]),
        jobs.etag_of(job) if not form.fields else form.value("state"),
    )


def _menu(column: FileColumn) -> str:
    return f"column_{column.index}"


def _absent(
    file: resources.JobFile, form: Form, columns: tuple[FileColumn, ...], sources: Mapping[str, int]
) -> Iterator[Absent]:
    constants = dict(_USUAL) if file.missing else {}
    constants |= file.suggested.constants if file.suggested else {}
    constants |= file.mapping.constants if file.mapping else {}
    also = {name: column.index for column in columns for name in column.also}
    for column in (Column.COUNTRY_CODE, *_BOOLEANS, *_CARRIER_MENUS):
        name = name_of(column)
        if name in sources:
            continue
        chosen = f"{FROM_COLUMN}{also[name]}" if name in also else constants.get(name, "")
        if column is not Column.COUNTRY_CODE and chosen and not chosen.startswith(FROM_COLUMN):
            chosen = f"{CONSTANT}{chosen}"
        field = f"other_{column.name}"
        sent = form.value(field, "" if form.fields else chosen)
        choices = tuple(_choices(column, columns))
        yield Absent(column, field, name, choices, sent, column in UPLOAD_FORM.required, column in _CARRIER_MENUS)


def _choices(column: Column, columns: tuple[FileColumn, ...]) -> Iterator[tuple[str, str]]:
    """Yield what can be chosen for a column that the file does not have; nothing for Country Code, which is a text."""
    if column in _BOOLEANS:
        yield f"{CONSTANT}TRUE", "TRUE for every row"
        yield f"{CONSTANT}FALSE", "FALSE for every row"
        for each in columns:
            yield f"{FROM_COLUMN}{each.index}", f"As in column {each.index}{': ' + each.header if each.header else ''}"
    elif column in _CARRIER_MENUS:
        for name in uploads.offers().carriers[_CARRIER_MENUS[column]]:
            yield f"{CONSTANT}{name}", name


def _values(
    file: resources.JobFile, form: Form, columns: tuple[FileColumn, ...], sources: Mapping[str, int]
) -> Iterator[Values]:
    """Yield the values to be translated: of columns read as a capability, if not every value is understood."""
    known = {name: dict(values) for name, values in (file.suggested.values if file.suggested else {}).items()}
    for name, values in (file.mapping.values if file.mapping else {}).items():
        known[name] = known.get(name, {}) | values
    by_index = {column.index: column for column in columns}
    for column in _BOOLEANS:
        found = by_index.get(sources.get(name_of(column), 0))
        if found is None or not 0 < len(found.values) <= MOST_VALUES:
            continue
        translations = {
            " ".join(text.casefold().split()): meaning for text, meaning in known.get(name_of(column), {}).items()
        }
        if not translations and all(each.reads_as or not each.value.strip() for each in found.values):
            continue
        rows = tuple(
            (
                field := f"value_{column.name}_{found.index}_{position}",
                each.value,
                each.count,
                form.value(field, translations.get(" ".join(each.value.casefold().split()), each.reads_as or "")),
            )
            for position, each in enumerate(found.values)
        )
        yield Values(name_of(column), found.header or f"Column {found.index}", rows)


def _header_rows(file: resources.JobFile) -> Iterator[tuple[int, str]]:
    """Yield the rows that may have the column names, with their cells in short; 0: none has."""
    for row in file.top_rows:
        yield row.row, " | ".join(cell for cell in row.cells if cell.strip())[:120] or "(empty)"
    listed = {row.row for row in file.top_rows}
    if file.header_row and file.header_row not in listed:
        yield file.header_row, " | ".join(column.header for column in file.columns)[:120]
    yield 0, "The file has no column names"


def _body(job: resources.Job, form: Form) -> RecheckBody:
    """Return what to check again, and how. Errors are noted in the form."""
    file = job.file
    if file is None:
        return RecheckBody()
    raw: dict[str, object] = {"mode": "review"}
    raw |= {name: text for name in _READING if (text := form.value(name))}
    if not file.columns:  # not known yet: the file is read first
        return validated(RecheckBody, raw)
    sheet, header_row = form.value("sheet") or file.sheet, form.value("header_row") or str(file.header_row)
    if sheet != file.sheet or header_row != str(file.header_row):
        # The menus are about other columns: the file is read again first.
        raw |= {"header_row": header_row if sheet == file.sheet else None, "mapping": None, "profile": None}
        return validated(RecheckBody, raw | ({"sheet": sheet} if sheet else {}))
    raw |= {"header_row": header_row, "mapping": _mapping(file, form)}
    if sheet:
        raw["sheet"] = sheet
    if form.has("save_profile") and form.value("profile_name").strip():
        raw["save_profile"] = form.value("profile_name").strip()
    return validated(RecheckBody, raw)


def _mapping(file: resources.JobFile, form: Form) -> dict[str, Any]:
    columns: dict[str, int | None] = {}
    for column in file.columns[:MOST_SHOWN]:
        name = form.value(_menu(column))
        if not name:
            continue
        if name in columns:
            form.wrong(_menu(column), f"{name} is chosen for two columns. Choose it once.")
        columns[name] = column.index
    constants: dict[str, str] = {}
    for ours in OURS:
        sent = form.value(f"other_{ours.name}").strip()
        if not sent or name_of(ours) in columns:
            continue
        if sent.startswith(FROM_COLUMN):
            columns[name_of(ours)] = (
                int(sent.removeprefix(FROM_COLUMN)) if sent[len(FROM_COLUMN) :].isdecimal() else None
            )
        else:
            constants[name_of(ours)] = sent.removeprefix(CONSTANT)
    if name_of(Column.PHONE_NUMBER) not in columns:
        form.wrong("", "Choose the column that has the phone numbers.")
    values = _translations(file, form, columns)
    # What is not chosen is not read, even if its name looks like one of ours.
    read_now = file.mapping.columns if file.mapping else {}
    for ours in OURS:
        if name_of(ours) not in constants and (ours not in _BLOCKS or name_of(ours) in read_now):
            columns.setdefault(name_of(ours), None)
    return {"columns": columns, "constants": constants, "values": values}


def _translations(file: resources.JobFile, form: Form, columns: Mapping[str, int | None]) -> dict[str, dict[str, str]]:
    """Return what values mean that would be read otherwise."""
    by_index = {column.index: column for column in file.columns}
    values: dict[str, dict[str, str]] = {}
    for ours in _BOOLEANS:
        index = columns.get(name_of(ours)) or 0
        for position, each in enumerate(by_index[index].values if index in by_index else ()):
            meaning = form.value(f"value_{ours.name}_{index}_{position}")
            if meaning and meaning != each.reads_as:
                values.setdefault(name_of(ours), {})[each.value] = meaning
    return values
