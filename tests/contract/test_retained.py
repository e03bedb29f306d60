"""Everything that is stored has an entry in docs/reference/retention.md, which says what bounds it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import pytest

from schemas.database.tables import metadata
from tests.contract.retained import BOUNDS, FILES, KEYS, OTHER_FILES, Bound
from worker.config.settings import Settings
from worker.jobs.retention import FileClass
from worker.maintenance import cleaner
from worker.queue import broker

OF_TIME = re.compile(r"keep_\w+_days|(orphan|idempotency)_hours")


def bounds() -> Iterator[Bound]:
    yield from BOUNDS.values()
    yield from (bound for _, bound in FILES.values())
    yield from (*OTHER_FILES.values(), *KEYS.values())


def test_every_table_has_a_bound() -> None:
    assert sorted(BOUNDS) == sorted(metadata.tables), "add a new table to tests/contract/retained.py: what bounds it?"


def test_every_class_of_files_and_every_queue_has_a_bound() -> None:
    assert sorted(FILES) == sorted(FileClass)
    names = {name for names in KEYS for name in names.split(", ")}
    assert set(broker.ALL_QUEUES) <= names


def test_every_setting_that_keeps_something_is_listed() -> None:
    named = {name for bound in bounds() for name in bound.settings}
    assert named <= set(Settings.model_fields)
    assert {name for name in Settings.model_fields if OF_TIME.fullmatch(name)} <= named


def test_every_step_of_a_cleaning_round_is_listed_and_runs() -> None:
    steps = {step.__name__ for step in cleaner.STEPS}
    named = {bound.remover for bound in bounds() if bound.remover and ":" not in bound.remover}
    assert named <= steps
    assert steps - named == {"count_day"}  # removes nothing


@pytest.mark.parametrize("remover", sorted({bound.remover for bound in bounds() if ":" in bound.remover}))
def test_what_else_removes_rows_exists(remover: str) -> None:
    module, _, name = remover.partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_rows_that_expire_have_a_setting_or_a_fixed_time_and_a_remover() -> None:
    for bound in bounds():
        assert not bound.settings or bound.remover or bound.settings == ("callback_secret_hours",)
