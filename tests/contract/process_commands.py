"""The commands of deployments, parsed as Celery and gunicorn parse them, and those that `numberyard up` starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from celery.bin.celery import celery as celery_command
from gunicorn.config import Config
from pydantic import SecretStr

from worker.config.settings import Settings, variable_of
from worker.runtime.local_stack import Stack

SETTINGS = {variable_of(name) for name in Settings.model_fields}
CELERY = ("worker", "upkeep", "beat")


def celery_options(arguments: list[str]) -> dict[str, Any]:
    """Return the options of a celery command line; fails for one that celery does not know."""
    application, name, *rest = arguments
    assert application.startswith("--app=")
    command = celery_command.commands[name]
    options, left, _ = command.make_parser(click.Context(command)).parse_args(rest)
    assert left == []
    return {"app": application.removeprefix("--app="), "command": name} | dict(options)


def gunicorn_options(arguments: list[str]) -> dict[str, Any]:
    """Return the options of a gunicorn command line; fails for one that gunicorn does not know."""
    found = vars(Config().parser().parse_args(arguments))
    return {name: value for name, value in found.items() if value not in (None, [])}


def _in_one_word(argv: tuple[str, ...]) -> list[str]:
    """Return the arguments of what `numberyard up` starts (`python -m celery ...`), in the form of deployments."""
    assert argv[1:4] == ("-m", "celery", "-A")
    return [f"--app={argv[4]}", *argv[5:]]


def options_under_up(name: str) -> dict[str, Any]:
    """Return the options that `numberyard up` gives a process: `web`, `worker`, `upkeep` or `beat`."""
    stack = Stack(Settings(data_dir=Path("var"), redis_url=SecretStr("redis://localhost:1/0")), 8080)
    service = getattr(stack, f"_{name}")()
    argv = service.command().argv
    return celery_options(_in_one_word(argv)) if name in CELERY else gunicorn_options(list(argv[3:]))


def assert_runs_as_under_up(name: str, command: list[str], *own: str) -> None:
    """Fail unless a deployment's command starts the process as `numberyard up` does; `own`: options it may choose."""
    program, *arguments = command
    assert Path(program).name == ("celery" if name in CELERY else "gunicorn")
    options = celery_options(arguments) if name in CELERY else gunicorn_options(arguments)
    chosen = dict.fromkeys(own)
    assert {**options, **chosen} == {**options_under_up(name), **chosen}
