"""Exports are rendered by columns; this renders the same numbers row by row, and every byte has to agree (R34)."""

from __future__ import annotations

import io
import random
import zipfile
from itertools import starmap
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest
import sqlalchemy as sa

from schemas.capabilities import CAPABILITIES
from schemas.database.tables import carriers, tenants
from schemas.permissions import Actor
from tests.support import factories
from tests.support.factories import World
from worker.database import tenant_scope
from worker.database.engine import snapshot
from worker.numbers import export, export_names, export_pages, export_workbook, filters, number_bodies, queries
from worker.numbers.export_names import NamedPage
from worker.numbers.filters import NumberFilter
from worker.numbers.queries import NumberView
from worker.phone import region
from worker.reports.render import csv_lines
from worker.spreadsheet.formula_escape import neutralise

SEED = 20_261_130
NUMBERS = 400
NAMES = ('=cmd|"x"', "Ünïcode ☎ 電話", "a,b;c\td", "'quoted'", "-1", "+49 30", "@x", "line\nbreak", "<b>&amp;</b>", " ")
FIRST_DIGITS = (1212555, 4420794, 4930123, 39069, 800123, 2906, 883510, 882)
COUNTRIES = ("US", "GB", "DE", "IT", "001", "SH")


def cells_of(view: NumberView) -> tuple[str, ...]:
    """The cells of a number, one after the other."""
    row = view.row
    has_user = row.voice_user_id is not None or row.sms_user_id is not None
    return (
        str(region.calling_code_of(row.e164)),
        f"+{row.e164}",
        *("TRUE" if getattr(row, capability.name) else "FALSE" for capability in CAPABILITIES),
        "assigned" if has_user or row.holder_id != row.uploader_id else "unassigned",
        view.holder.name,
        view.uploader.name,
        row.voice_carrier or "",
        row.sms_carrier_profile or "",
        row.voice_user_name or "",
        row.sms_user_name or "",
        row.country,
    )


def csv_by_rows(views: list[NumberView]) -> bytes:
    columns = [neutralise(pa.array(values, pa.string())) for values in zip(*map(cells_of, views), strict=True)]
    return csv_lines(pa.table(columns, names=export.COLUMNS))


def json_by_rows(actor: Actor, views: list[NumberView]) -> bytes:
    bodies = (number_bodies.number(actor, view) for view in views)
    return "".join(f"{body.model_dump_json(exclude={'history'})}\n" for body in bodies).encode()


@pytest.fixture
def drawn(database: sa.Engine, world: World) -> World:
    """Numbers of all kinds, with names that have to be escaped, at every holder of the tree."""
    dice = random.Random(SEED)
    tree = (world.master, world.north, world.south, world.clinic, world.hotel, world.school)
    with database.begin() as connection:
        for name, account in zip(dice.sample(NAMES, len(tree)), tree, strict=True):
            connection.execute(tenants.update().where(tenants.c.id == account.id).values(name=name))
        for carrier_id, name in zip(world.carriers.values(), dice.sample(NAMES, len(world.carriers)), strict=True):
            connection.execute(carriers.update().where(carriers.c.id == carrier_id).values(name=name))
        people = {
            home.id: [
                factories.user(connection, home.tenant, kind, name=dice.choice(NAMES), email=f'"{place}"@x.example')
                for place, kind in enumerate(("pbx", "trunk", "trunk"))
            ]
            for home in (world.clinic, world.hotel, world.school)
        }
        rows = []
        for e164 in {int(f"{dice.choice(FIRST_DIGITS)}{dice.randrange(10**4):04}") for _ in range(NUMBERS)}:
            holder = dice.choice(tree)
            users = [None, None, *people.get(holder.id, ())]
            columns: dict[str, Any] = {name: dice.random() < 0.5 for name in ("voice", "sms", "fax", "voice_forwarded")}
            columns |= {f"{name}_user_id": dice.choice(users) for name in ("voice", "sms")}
            columns |= {
                f"{name}_carrier_id": dice.choice([None, *world.carriers.values()]) for name in ("voice", "sms")
            }
            columns |= {"uploader_id": dice.choice(holder.tenant.path), "country": dice.choice(COUNTRIES)}
            rows.append(factories.number_row(e164, holder.tenant, **columns))
        factories.numbers(connection, rows)
    return world


def pages_and_views(
    connection: sa.Connection, actor: Actor, asked: NumberFilter
) -> tuple[list[NamedPage], list[NumberView]]:
    resolved = filters.resolve(connection, actor, asked)
    pages = list(export_names.named_pages(connection, resolved, with_jobs=True))
    numbers = [int(number) for _, page in pages for number in page.e164]
    assert numbers == sorted(set(numbers))
    return pages, queries.these(connection, numbers)


@pytest.mark.parametrize("looker", ["master", "north", "clinic", "school"])
@pytest.mark.parametrize("size", [7, 20_000])
def test_every_byte_is_that_of_the_rows(drawn: World, looker: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_pages, "PAGE", size)
    actor = Actor(getattr(drawn, looker).tenant, "x")
    with snapshot() as connection:
        actor = Actor(tenant_scope.tenant_by_id(connection, actor.tenant.id), "x")
        pages, views = pages_and_views(connection, actor, NumberFilter())
        assert len(views) > (NUMBERS / 2 if looker == "master" else 20)
        assert b"".join(starmap(export.csv_rows, pages)) == csv_by_rows(views)
        assert b"".join(starmap(export.JsonLines(actor).rows, pages)) == json_by_rows(actor, views)


def test_a_worksheet_has_the_same_cells(drawn: World, tmp_path: Path) -> None:
    """As XML has them: text as it is, without the escapes of CSV."""
    path = tmp_path / "numbers.xlsx"
    with snapshot() as connection:
        actor = Actor(tenant_scope.tenant_by_id(connection, drawn.master.id), "x")
        pages, views = pages_and_views(connection, actor, NumberFilter())
        export_workbook.write(path, starmap(export.sheet_rows, pages))
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as package:
        sheet = ET.fromstring(package.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - our own
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    rows = [
        tuple("".join(text.text or "" for text in cell.iter(f"{space}t")) for cell in row.iter(f"{space}c"))
        for row in sheet.iter(f"{space}row")
    ]
    assert rows[1:] == list(map(cells_of, views))  # the texts of the header are in another part


@pytest.mark.parametrize(
    "asked",
    [
        {"status": "assigned"},
        {"status": "unassigned"},
        {"capability": "fax"},
        {"country": "DE"},
        {"q": "+1212"},
        {"user_kind": "trunk"},
        {"ends_with": "0001"},
        {"free_for": "sms"},
    ],
    ids=str,
)
def test_pages_have_what_lists_have(drawn: World, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_pages, "PAGE", 5)
    for account in (drawn.master, drawn.north):
        with snapshot() as connection:
            actor = Actor(tenant_scope.tenant_by_id(connection, account.id), "x")
            resolved = filters.resolve(connection, actor, NumberFilter(**asked))
            totals: list[int] = []
            found = [int(one) for page in export_pages.pages(connection, resolved, totals.append) for one in page.e164]
            listed = [view.row.e164 for view in queries.page(connection, resolved, NUMBERS).views]
        assert found == listed
        assert totals == ([] if resolved.is_scanned else [len(listed)])
