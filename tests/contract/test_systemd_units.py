"""The systemd units, judged by systemd's own programs, start what `numberyard up` and docker-compose.yml start."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import socket
import subprocess
from pathlib import Path

import click
import pytest
import yaml
from pydantic import SecretStr

from tests.contract.process_commands import SETTINGS, assert_runs_as_under_up
from tests.support.programs import need
from tests.support.servers import web_server
from webhook.cli.commands.migrate import migrate
from webhook.cli.exit_codes import Exit
from webhook.http.gunicorn_conf import graceful_timeout
from worker.config.settings import Settings
from worker.queue import broker
from worker.runtime.local_stack import DRAIN_SECONDS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/systemd"
UNITS = sorted(path.name for path in FOLDER.glob("*.service"))
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
EXPOSURE = 20  # tenths: `systemd-analyze security` calls up to 2.0 OK
PROGRAMS = ("opt/numberyard/bin/gunicorn", "opt/numberyard/bin/celery", "opt/numberyard/bin/numberyard", "bin/sh")


def parsed(name: str) -> configparser.ConfigParser:
    """Return a unit; of options that are given several times, the last."""
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    unit.optionxform = str  # type: ignore[method-assign,assignment] # options have upper-case letters
    unit.read(FOLDER / name, encoding="utf-8")
    return unit


def process(name: str) -> str:
    return name.removeprefix("numberyard-").partition(".")[0].removesuffix("@")


def command(name: str) -> list[str]:
    """Return the command of a unit, with its own environment and specifiers filled in."""
    text = parsed(name)["Service"]["ExecStart"].replace("%i", "1").replace("%%", "%")
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("Environment="):
            for variable in shlex.split(line.removeprefix("Environment=")):
                key, _, value = variable.partition("=")
                text = text.replace(f"${{{key}}}", value)
    assert "${" not in text
    return shlex.split(text)


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Return a root folder with the units installed as the guide says, and programs of the names that they start."""
    need("systemd-analyze")
    installed = tmp_path / "etc/systemd/system"
    system = Path("/usr/lib/systemd/system")
    shutil.copytree(system, tmp_path / "usr/lib/systemd/system", symlinks=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    installed.mkdir(parents=True)
    for path in (*FOLDER.glob("*.service"), *FOLDER.glob("*.target")):
        shutil.copy(path, installed)
    for program in PROGRAMS:
        (tmp_path / program).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("/bin/true", tmp_path / program)
    return tmp_path


def findings(host: Path) -> str:
    units = host / "etc/systemd/system"
    arguments = [need("systemd-analyze"), "verify", "--man=no", f"--root={host}"]
    names = (units / "numberyard.target", units / "numberyard-worker@1.service", *map(units.joinpath, UNITS))
    ended = subprocess.run(
        [*arguments, *(name for name in names if not name.stem.endswith("@"))],
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.stdout + ended.stderr + ("" if ended.returncode == 0 else f"exit code {ended.returncode}")


def test_systemd_finds_nothing_wrong(host: Path) -> None:
    assert findings(host) == ""


@pytest.mark.parametrize(("right", "wrong"), [("ProtectClock", "ProtectClok"), ("/bin/celery", "/bin/selery")])
def test_systemd_finds_what_is_wrong(host: Path, right: str, wrong: str) -> None:
    unit = host / "etc/systemd/system/numberyard-beat.service"
    unit.write_text(unit.read_text().replace(right, wrong))
    assert wrong in findings(host)


@pytest.mark.parametrize("name", UNITS)
def test_systemd_judges_a_process_as_hardened(name: str) -> None:
    program = need("systemd-analyze")
    line = [program, "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", str(FOLDER / name)]
    ended = subprocess.run(line, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def test_an_open_process_is_noticed(tmp_path: Path) -> None:
    open_unit = tmp_path / "open.service"
    open_unit.write_text("[Service]\nExecStart=/bin/true\n")
    line = [need("systemd-analyze"), "security", "--offline=true", f"--threshold={EXPOSURE}", str(open_unit)]
    assert subprocess.run(line, capture_output=True, check=False).returncode != 0


def test_all_processes_of_compose_are_there() -> None:
    assert {process(name) for name in UNITS} == {name for name, service in COMPOSE.items() if "build" in service}
    wanted = re.findall(r"numberyard-[a-z]+(?:@\d+)?\.service", (FOLDER / "numberyard.target").read_text())
    assert {re.sub(r"@\d+", "@", name) for name in wanted} == set(UNITS)


@pytest.mark.parametrize("name", [name for name in UNITS if "migrate" not in name])
def test_processes_run_as_under_up(name: str) -> None:
    own = {"web": ["bind", "workers"], "worker": ["concurrency", "hostname"]}.get(process(name), [])
    assert_runs_as_under_up(process(name), command(name), *own)


def test_migrate_runs_first() -> None:
    for name in UNITS:
        if "migrate" not in name:
            unit = parsed(name)["Unit"]
            assert "numberyard-migrate.service" in unit["After"].split()
            assert unit["Requires"] == "numberyard-migrate.service"
            assert unit["PartOf"] == "numberyard.target"


@pytest.mark.parametrize(
    ("codes", "runs", "ended_with"),
    [
        ([Exit.OK], 1, Exit.OK),
        ([Exit.UNREACHABLE, Exit.UNREACHABLE, Exit.OK], 3, Exit.OK),
        ([Exit.UNREACHABLE, Exit.REFUSED, Exit.OK], 2, Exit.REFUSED),
        ([Exit.USAGE, Exit.OK], 1, Exit.USAGE),
        ([Exit.UNEXPECTED, Exit.OK], 1, Exit.UNEXPECTED),
    ],
)
def test_migrate_is_repeated_only_while_a_server_is_away(
    tmp_path: Path, codes: list[Exit], runs: int, ended_with: Exit
) -> None:
    """The command of the unit, with a program that ends with one code after the other."""
    (tmp_path / "codes").write_text("".join(f"{code:d}\n" for code in codes))
    program = tmp_path / "numberyard"
    program.write_text(f'#!/bin/sh\ncd {tmp_path}\necho "$*" >> runs\nexit "$(sed -n "$(grep -c "" runs)p" codes)"\n')
    (tmp_path / "sleep").symlink_to("/bin/true")
    program.chmod(0o755)
    shell, option, script = command("numberyard-migrate.service")
    assert (shell, option) == ("/bin/sh", "-c")
    script = script.replace("$$", "$").replace("/opt/numberyard/bin/numberyard", str(program))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ended = subprocess.run([shell, option, script], env=environment, timeout=60, check=False)
    assert ended.returncode == ended_with
    lines = (tmp_path / "runs").read_text().splitlines()
    name, *arguments = lines[0].split()
    assert (len(lines), ["numberyard", name]) == (runs, COMPOSE["migrate"]["command"])
    assert migrate.make_parser(click.Context(migrate)).parse_args(arguments)


def test_every_queue_is_served_by_the_target() -> None:
    (of_worker,) = [word for word in command("numberyard-worker@.service") if word.startswith("--queues=")]
    (of_upkeep,) = [word for word in command("numberyard-upkeep.service") if word.startswith("--queues=")]
    served = {queue for word in (of_worker, of_upkeep) for queue in word.removeprefix("--queues=").split(",")}
    assert served == set(broker.ALL_QUEUES)


def test_processes_are_given_time_to_stop() -> None:
    for name in UNITS:
        service = parsed(name)["Service"]
        least = {"web": graceful_timeout, "worker": DRAIN_SECONDS, "upkeep": DRAIN_SECONDS}.get(process(name), 0)
        assert int(service["TimeoutStopSec"]) > least
        if process(name) == "migrate":
            assert service["KillMode"] == "control-group"  # SIGTERM for the command, too: its parent is a shell
        else:
            assert service["KillMode"] == "mixed"  # SIGTERM for the parent only, which drains its children
            assert service["Restart"] == "always"


def test_the_example_of_settings_is_valid() -> None:
    lines = (FOLDER / "numberyard.env").read_text(encoding="utf-8").splitlines()
    given = dict(line.removeprefix("#").split("=", 1) for line in lines if re.match(r"#?NUMBERYARD_", line))
    assert set(given) <= SETTINGS
    values = {name.removeprefix("NUMBERYARD_").lower(): value for name, value in given.items()}
    settings = Settings.model_validate(values)
    assert settings.database_url != SecretStr("")
    folder = settings.files_url.removeprefix("file://")
    assert f"d {folder} 0700 numberyard numberyard" in (FOLDER / "tmpfiles.conf").read_text(encoding="utf-8")
    assert all(folder.startswith(parsed(name)["Service"]["WorkingDirectory"]) for name in UNITS)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders to other users")
def test_user_and_folders_are_created(tmp_path: Path) -> None:
    (tmp_path / "etc/numberyard").mkdir(parents=True)
    (tmp_path / "etc/numberyard/numberyard.env").touch(mode=0o644)
    for program, name in (("systemd-sysusers", "sysusers.conf"), ("systemd-tmpfiles", "tmpfiles.conf")):
        create = ["--create"] if program == "systemd-tmpfiles" else []
        line = [need(program), f"--root={tmp_path}", *create, str(FOLDER / name)]
        ended = subprocess.run(line, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
    (user,) = [line for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("numberyard:")]
    (files, settings) = (tmp_path / "var/lib/numberyard/files", tmp_path / "etc/numberyard/numberyard.env")
    assert (files.stat().st_uid, files.stat().st_mode & 0o777) == (int(user.split(":")[2]), 0o700)
    assert settings.stat().st_mode & 0o777 == 0o640
    assert {parsed(name)["Service"]["User"] for name in UNITS} == {"numberyard"}


@pytest.mark.long
def test_web_processes_tell_systemd_when_they_are_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`Type=notify`: what is started after them finds them listening."""
    assert parsed("numberyard-web.service")["Service"]["Type"] == "notify"
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(address))
        systemd.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(address))
        with web_server.serving(tmp_path, app="tests.support.servers.plain_app:create_app()"):
            assert "READY=1" in systemd.recv(4096).decode().splitlines()
