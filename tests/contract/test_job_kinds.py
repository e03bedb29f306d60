"""Each kind of job has its specification and an entry in the registry of each layer; each action has all its faces."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click
import pytest

from schemas.job_kinds import ACTIONS, JOB_KINDS, WITHOUT_ROWS, JobKind
from tests.support.api_client import application
from webhook.cli.command_table import COMMANDS
from webhook.portal.numbers.available_actions import PAGES
from webhook.services.actions import REQUESTS
from worker.stages.resolve import DECIDE

APP = application()


def test_every_kind_has_a_specification() -> None:
    assert list(JOB_KINDS) == list(JobKind)


def test_every_kind_with_rows_is_in_the_registry_of_resolve() -> None:
    assert list(DECIDE) == [kind for kind in JobKind if kind not in WITHOUT_ROWS]


@pytest.mark.parametrize("registry", [REQUESTS, PAGES], ids=["requests", "portal"])
def test_every_action_is_in_the_registry(registry: Mapping[JobKind, object]) -> None:
    assert list(registry) == list(ACTIONS)


def test_actions_are_the_resources_of_the_api() -> None:
    routes = [rule for rule in APP.url_map.iter_rules() if rule.endpoint.startswith("actions.")]
    assert {rule.rule for rule in routes} == {f"/v1/{action.path}" for action in ACTIONS.values()}


def test_every_action_has_a_command_and_a_page() -> None:
    for kind in ACTIONS:
        lazy = COMMANDS[kind]
        command = getattr(importlib.import_module(lazy.module), lazy.name)
        assert isinstance(command, click.Command)
        assert command.name == kind
        assert PAGES[kind] in APP.view_functions
