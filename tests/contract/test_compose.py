"""The compose file and the image say only what is true of the code; read, not run: no engine is needed (issue 2).

`compose-spec.json` is the JSON schema of the Compose Specification (Apache-2.0), as published.
"""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import sqlalchemy as sa
import yaml
from pydantic import SecretStr

from tests.contract.process_commands import SETTINGS, assert_runs_as_under_up, celery_options, gunicorn_options
from webhook.cli import main as command_line
from worker.config.settings import Settings
from worker.database import engine
from worker.queue import broker
from worker.runtime.local_stack import DRAIN_SECONDS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
BLANK = re.compile(r"\$\{(?P<name>\w+)(?P<rest>[^}]*)\}")
ONCE = "service_completed_successfully"


def filled(text: str) -> str:
    """The text as compose makes it, with `secret` for whatever has no default."""
    return BLANK.sub(lambda found: found["rest"][2:] if found["rest"].startswith(":-") else "secret", text)


def instruction(name: str) -> list[str]:
    """What follows each `NAME` in the Dockerfile."""
    return re.findall(rf"^{name} +(.*)$", DOCKERFILE, re.MULTILINE)


def test_follows_the_compose_specification() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft7Validator(schema)
    validator.check_schema(schema)
    validator.validate(COMPOSE)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"services": {"web": {"comand": ["a slip of the finger"]}}})


def test_has_all_parts() -> None:
    assert set(SERVICES) == {"web", "worker", "upkeep", "beat", "migrate", "postgres", "valkey"}
    assert set(OURS) == {"web", "worker", "upkeep", "beat", "migrate"}
    assert SERVICES["postgres"]["image"].startswith("postgres:18")


@pytest.mark.parametrize("name", OURS)
def test_settings_are_settings(name: str) -> None:
    given = OURS[name]["environment"]
    assert {variable for variable in given if variable.startswith("NUMBERYARD_")} <= SETTINGS
    values = {variable.removeprefix("NUMBERYARD_").lower(): filled(value) for variable, value in given.items()}
    settings = Settings.model_validate(values)
    database = engine.sqlalchemy_url(settings)
    assert SERVICES[str(database.host)]["image"].startswith("postgres:")
    assert settings.redis_url is not None
    assert SERVICES[str(sa.make_url(settings.redis_url.get_secret_value()).host)]["image"].startswith("valkey/")


def test_the_database_has_the_user_the_address_names() -> None:
    made = SERVICES["postgres"]["environment"]
    named = sa.make_url(filled(OURS["web"]["environment"]["NUMBERYARD_DATABASE_URL"]))
    assert (named.username, named.database) == (made["POSTGRES_USER"], made["POSTGRES_DB"])


def test_all_of_ours_have_the_same_settings_and_files() -> None:
    for name in ("environment", "volumes", "image"):
        assert len({json.dumps(service[name], sort_keys=True) for service in OURS.values()}) == 1, name


def test_no_password_has_a_default() -> None:
    """That of the mail server is not needed: without one there are no e-mails."""
    passwords = [found for found in BLANK.finditer(TEXT) if "PASSWORD" in found["name"]]
    (of_mail,) = [found for found in passwords if found["name"] == "NUMBERYARD_SMTP_PASSWORD"]
    assert of_mail["rest"] == ":-"
    passwords.remove(of_mail)
    assert {found["name"] for found in passwords} == {"NUMBERYARD_DB_PASSWORD", "NUMBERYARD_REDIS_PASSWORD"}
    assert all(found["rest"].startswith(":?") for found in passwords)
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name or name.endswith("_AUTH"):
                assert BLANK.fullmatch(value), name
            if name.endswith("_URL") and "@" in value:
                secret = BLANK.sub("${}", value).partition("://")[2].partition("@")[0].partition(":")[2]
                assert secret.startswith("${") or secret == "", name


def test_every_queue_has_a_consumer_and_no_other_is_consumed() -> None:
    consumed = [
        queue
        for service in OURS.values()
        if service["command"][0] == "celery"
        for queue in (celery_options(service["command"][1:]).get("queues") or "").split(",")
        if queue
    ]
    assert set(consumed) == set(broker.ALL_QUEUES)
    assert sorted(consumed) == sorted((*broker.QUEUES_OF_WORKER, *broker.QUEUES_OF_UPKEEP))
    configuration = broker.configuration(Settings(redis_url=SecretStr("redis://localhost:1/0")))
    scheduled: dict[str, dict[str, dict[str, str]]] = configuration["beat_schedule"]  # type: ignore[assignment]
    sent_to = {*broker.QUEUES.values(), configuration["task_default_queue"]}
    sent_to |= {entry["options"]["queue"] for entry in scheduled.values()}
    assert sent_to == set(consumed)


@pytest.mark.parametrize("name", ["worker", "upkeep", "beat"])
def test_celery_runs_as_under_up(name: str) -> None:
    command = OURS[name]["command"]
    assert importlib.util.find_spec(celery_options(command[1:])["app"])
    # How many import at a time depends on the machine.
    assert_runs_as_under_up(name, command, *(["concurrency"] if name == "worker" else []))


def test_web_runs_as_under_up() -> None:
    command = OURS["web"]["command"]
    (target,) = gunicorn_options(command[1:])["args"]
    module, _, call = target.partition(":")
    assert callable(getattr(importlib.import_module(module), call.removesuffix("()")))
    assert_runs_as_under_up("web", command, "bind", "worker_tmp_dir")


def test_migrate_is_a_command_and_runs_first() -> None:
    program, name = OURS["migrate"]["command"]
    assert program == "numberyard"
    assert name in command_line.list_commands(click.Context(command_line))
    for other in ("web", "worker", "upkeep", "beat"):
        assert OURS[other]["depends_on"]["migrate"] == {"condition": ONCE}


@pytest.mark.parametrize("name", SERVICES)
def test_health(name: str) -> None:
    """Whoever runs on is checked; what ends is waited for instead."""
    check = SERVICES[name]["healthcheck"]
    waits = [
        need["condition"]
        for service in SERVICES.values()
        for who, need in service.get("depends_on", {}).items()
        if who == name
    ]
    if check.get("disable"):
        assert waits
        assert set(waits) == {ONCE}
        assert SERVICES[name]["restart"].startswith("on-failure")
        return
    assert {"test", "interval", "timeout", "retries"} <= set(check)
    assert set(waits) <= {"service_healthy"}
    assert SERVICES[name]["restart"] == "unless-stopped"
    if "-m" in check["test"]:
        assert importlib.util.find_spec(check["test"][-1])


def test_the_broker_forgets_nothing_and_lets_nobody_in() -> None:
    program, *words = SERVICES["valkey"]["command"]
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert program == "valkey-server"
    assert (options["--appendonly"], options["--maxmemory-policy"]) == ("yes", "noeviction")
    assert BLANK.fullmatch(options["--requirepass"])


def test_volumes_ports_and_rights() -> None:
    mounts = {name: dict(v.split(":")[:2] for v in service.get("volumes", [])) for name, service in SERVICES.items()}
    assert {volume for service in mounts.values() for volume in service} == set(COMPOSE["volumes"])
    assert mounts["postgres"] == {"postgres": "/var/lib/postgresql"}
    files = Settings.model_validate({"storage_url": OURS["web"]["environment"]["NUMBERYARD_STORAGE_URL"]}).files_url
    assert mounts["web"]["files"] == files.removeprefix("file://")
    (port,) = SERVICES["web"]["ports"]
    assert port.startswith("127.0.0.1:")
    assert not any(service.get("ports") for name, service in SERVICES.items() if name != "web")
    for service in OURS.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", ["worker", "upkeep"])
def test_a_worker_is_given_time_to_drain(name: str) -> None:
    assert int(OURS[name]["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS


def test_image() -> None:
    (user,) = instruction("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert len(instruction("FROM")) == 2
    assert instruction("ARG") == ["LOCK=requirements.lock"]
    assert '--require-hashes --no-deps --requirement "$LOCK"' in DOCKERFILE
    assert "/readyz" in instruction("HEALTHCHECK")[0]
    assert gunicorn_options(json.loads(instruction("CMD")[-1])[1:]) == gunicorn_options(OURS["web"]["command"][1:])
    assert set(re.findall(r"NUMBERYARD_\w+", DOCKERFILE)) <= SETTINGS
    folders = instruction("RUN")[-1].split()
    assert {"/data/files", "/scratch"} <= set(folders)
    assert {target.split(":")[1] for target in OURS["web"]["volumes"]} <= set(folders)


def test_hadolint_finds_nothing(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("hadolint")
    ended = subprocess.run([program, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "")
    worse = tmp_path / "Dockerfile"
    worse.write_text((ROOT / "Dockerfile").read_text(encoding="utf-8").replace("python:3.13-slim", "python"))
    ended = subprocess.run([program, worse], capture_output=True, text=True, check=False)
    assert "DL3006" in ended.stdout


def test_the_image_is_given_what_it_copies() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for line in instruction("COPY"):
        *sources, _ = shlex.split(line)
        for source in sources:
            if not source.startswith(("--", "/")):
                assert (ROOT / source).exists()
                assert any(fnmatch("!" + source, pattern) for pattern in ignored), source
