"""Every place that depends on capabilities follows `schemas.capabilities`: CONTRIBUTING.md counts the files of one."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import click
import pyarrow as pa
import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from schemas import arrow_schemas, columns
from schemas.capabilities import CAPABILITIES, CAPABILITY_NAMES, CARRIER_FIELDS, Capability, CapabilityName
from schemas.codes import FAULTS, Code
from schemas.database import tables
from schemas.http import actions, changes, resources
from schemas.job_kinds import JOB_KINDS, JobKind
from schemas.jobs import JobOptions
from webhook.cli.commands import actions as commands

ROOT = Path(__file__).resolve().parents[2]
# The files that name the newest capability: "How to extend it" in CONTRIBUTING.md lists them.
NAMED_IN = {
    "schemas/capabilities.py",
    "schemas/codes.py",
    "schemas/column_names.py",
    "schemas/columns.py",
    "schemas/http/actions.py",
    "schemas/http/changes.py",
    "schemas/http/resources.py",
    "schemas/jobs.py",
    "worker/sample/generator.py",
}
NAMES = list(CAPABILITY_NAMES)


def of(names: Iterable[str | None]) -> list[str]:
    """The capabilities among the names, in their order."""
    return [name for name in names if name is not None and name in NAMES]


def test_no_other_file_names_the_newest_capability() -> None:
    word = re.compile(rf"\b{NAMES[-1]}\b", re.IGNORECASE)
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("schemas", "worker", "webhook")
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".html", ".js", ".css"} and word.search(path.read_text(encoding="utf-8"))
    }
    assert {name for name in found if not name.startswith("schemas/migrations/")} == NAMED_IN


def test_contributing_lists_these_files() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()
    row = next(line for line in table if line.startswith(f"| a capability (as `{NAMES[-1]}`)"))
    cells = row.split("|")
    assert cells[2].strip().startswith(f"{len(NAMED_IN)}, and a migration")
    assert {path for path in NAMED_IN if f"`{path}`" not in cells[3]} == set()


@pytest.mark.parametrize("body", [resources.Number, resources.NumberState, actions.ChangeOptions, changes.NumberChange])
def test_bodies_have_every_capability(body: type[BaseModel]) -> None:
    assert of(body.model_fields) == NAMES


def test_options_of_jobs_have_every_capability() -> None:
    assert of(field.name for field in dataclasses.fields(JobOptions)) == NAMES


@pytest.mark.parametrize("body", [resources.Number, resources.NumberState, actions.ChangeOptions, changes.NumberChange])
def test_bodies_have_every_carrier(body: type[BaseModel]) -> None:
    assert {field.name for field in CARRIER_FIELDS} <= set(body.model_fields)


def test_every_name_is_specified() -> None:
    assert list(get_args(CapabilityName)) == NAMES


@pytest.mark.parametrize("table", [tables.phone_numbers, tables.holdings])
def test_tables_have_a_flag_for_every_capability(table: sa.Table) -> None:
    assert of(column.name for column in table.columns if isinstance(column.type, sa.Boolean)) == NAMES


def test_the_kind_of_numbers_holds_every_capability_in_a_bit_of_its_own() -> None:
    bits = {name: int(bit) for name, bit in re.findall(r"\((\w+)::int << (\d+)\)", tables.KIND)}
    assert list(bits) == NAMES
    assert sorted(bits.values()) == list(range(1, len(NAMES) + 1))  # 0: whether it is assigned


@pytest.mark.parametrize("schema", [arrow_schemas.VALIDATED, arrow_schemas.CHUNK, arrow_schemas.STATE])
def test_files_between_the_stages_have_every_capability(schema: pa.Schema) -> None:
    assert of(schema.names) == NAMES


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda capability: capability.name)
def test_spreadsheets_have_a_column_for_every_capability(capability: Capability) -> None:
    column = capability.column
    assert columns.SPEC[column].name == capability.label
    assert column in columns.UPLOAD_FORM.understood & JOB_KINDS[JobKind.CHANGE].form.understood
    assert any((fault.code, fault.column) == (Code.INVALID_BOOLEAN, column) for fault in FAULTS)


def test_the_command_has_an_option_for_every_capability() -> None:
    assert isinstance(commands.change, click.Command)
    assert of(option.name for option in commands.change.params) == NAMES
