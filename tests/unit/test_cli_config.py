"""Where the command line finds its service: the configuration file, profiles, `numberyard login`, and their order."""

from __future__ import annotations

import json
import os
import pty
import select
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tests.unit.fake_service import TOKEN, Service, running
from webhook.cli import main
from webhook.cli.config import Profile, config_path, profile_names, read_profile, write_profile
from webhook.cli.exit_codes import Exit

ME = {"id": "t-1", "name": "Harbour \x1b[31mTelecom", "kind": "reseller"}
ELSEWHERE = "http://127.0.0.1:1"
Cli = Callable[..., Result]


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as made:
        made.things["/v1/tenants/me"] = ME
        made.lists["/v1/jobs"] = []
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "config.toml"


@pytest.fixture
def cli(path: Path) -> Cli:
    def run(*words: str, given: str = "", **env: str | None) -> Result:
        clean = {"NUMBERYARD_URL": None, "NUMBERYARD_TOKEN": None, "NUMBERYARD_PROFILE": None}
        return CliRunner().invoke(main, words, input=given, env=clean | {"NUMBERYARD_CONFIG": str(path)} | env)

    return run


def written(path: Path, text: str, mode: int = 0o600) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


# Login


def test_login_tries_the_token_and_keeps_it_for_nobody_else_to_read(cli: Cli, service: Service, path: Path) -> None:
    result = cli("login", "--url", f"{service.url}/", given=f"{TOKEN}\n")
    assert result.exit_code == Exit.OK
    assert f"Signed in as Harbour Telecom at {service.url}." in result.stderr
    assert result.stdout == ""
    assert TOKEN not in result.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert tomllib.loads(path.read_text()) == {"profiles": {"default": {"url": service.url, "token": TOKEN}}}
    assert cli("jobs").exit_code == Exit.OK


def test_login_with_json(cli: Cli, service: Service, path: Path) -> None:
    told = json.loads(cli("login", "--url", service.url, "--profile", "lab", "--json", given=TOKEN).stdout)
    assert (told["profile"], told["url"], told["path"], told["tenant"]) == ("lab", service.url, str(path), ME)


@pytest.mark.parametrize(
    ("words", "given", "expected"),
    [
        (("--url", "{url}"), "nyk_wrong\n", Exit.NOT_ALLOWED),
        (("--url", "{url}"), "", Exit.USAGE),
        (("--url", "{url}"), "nyk wrong\n", Exit.USAGE),
        (("--url", "{url}", "--profile", "a.b"), TOKEN, Exit.USAGE),
        (("--url", "example.com"), TOKEN, Exit.USAGE),
        (("--url", ELSEWHERE), TOKEN, Exit.UNREACHABLE),
        ((), TOKEN, Exit.USAGE),
    ],
)
def test_what_does_not_work_is_not_kept(
    cli: Cli, service: Service, path: Path, words: tuple[str, ...], given: str, expected: Exit
) -> None:
    result = cli("login", *(word.format(url=service.url) for word in words), given=given)
    assert result.exit_code == expected
    assert not path.exists()


def test_login_on_a_terminal_asks_and_does_not_show_the_token(service: Service, path: Path) -> None:
    ours, theirs = pty.openpty()
    env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBERYARD_")}
    command = [sys.executable, "-c", "from webhook.cli import main; main()", "login"]
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=env | {"NUMBERYARD_CONFIG": str(path)},
        start_new_session=True,
    )
    os.close(theirs)
    shown = _answered(ours, {b"URL of the service": service.url, b"(not shown)": TOKEN})
    assert process.wait(timeout=30) == Exit.OK
    assert TOKEN.encode() not in shown
    assert b"Saved in" in shown
    assert read_profile(path, "default", is_named=True) == Profile(service.url, TOKEN)


def _answered(terminal: int, answers: dict[bytes, str]) -> bytes:
    """All that a terminal shows, each question being answered once."""
    shown = b""
    waiting = dict(answers)
    while select.select([terminal], [], [], 30)[0]:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # the other side is closed (Linux)
            break
        for question in [question for question in waiting if question in shown]:
            os.write(terminal, waiting.pop(question).encode() + b"\n")
    os.close(terminal)
    return shown


# The file


def test_writing_a_profile_leaves_the_rest_of_the_file_as_it_was(path: Path) -> None:
    above = '# mine\ncolour = "blue"\n\n'
    below = '\n# the big one\n[profiles.production]\nurl = "https://numbers.example.com"\n'
    written(path, above + '[profiles.default]\nurl = "http://old"\ntoken = "nyk_old"\n' + below)
    write_profile(path, "default", Profile("http://new", "nyk_new"))
    assert path.read_text() == above + '[profiles.default]\nurl = "http://new"\ntoken = "nyk_new"\n' + below
    write_profile(path, "lab", Profile("http://lab"))
    assert path.read_text().endswith(below + '\n[profiles.lab]\nurl = "http://lab"\n')
    assert profile_names(path) == ["default", "production", "lab"]


def test_a_file_laid_out_otherwise_is_left_alone(path: Path) -> None:
    text = 'profiles = {default = {url = "http://old"}}\n'
    written(path, text)
    with pytest.raises(click.UsageError):
        write_profile(path, "default", Profile("http://new", "nyk_new"))
    assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_others_could_read_is_closed_by_login_and_a_link_is_followed(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    written(real, "", 0o644)
    path.parent.mkdir()
    path.symlink_to(real)
    assert write_profile(path, "default", Profile("http://a", "nyk_a")) == real
    assert path.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_token_that_others_can_read_is_refused_with_the_remedy(
    cli: Cli, service: Service, path: Path, mode: int
) -> None:
    written(path, f'[profiles.default]\nurl = "{service.url}"\ntoken = "{TOKEN}"\n', mode)
    result = cli("jobs")
    assert result.exit_code == Exit.NOT_ALLOWED
    assert f"chmod 600 {path}" in result.stderr
    assert service.asked == []


def test_a_file_without_token_may_be_read_by_all(cli: Cli, service: Service, path: Path) -> None:
    written(path, f'[profiles.default]\nurl = "{service.url}"\n', 0o644)
    assert cli("jobs", NUMBERYARD_TOKEN=TOKEN).exit_code == Exit.OK


@pytest.mark.parametrize(
    "text", ["[profiles", "profiles = 1", "[profiles]\ndefault = 1", "[profiles.default]\nurl = 1", "\x00"]
)
def test_a_broken_file_is_told(cli: Cli, path: Path, text: str) -> None:
    written(path, text)
    result = cli("jobs")
    assert result.exit_code == Exit.USAGE
    assert str(path) in result.stderr


@pytest.mark.parametrize(
    ("given", "environ", "system", "expected"),
    [
        (None, {"XDG_CONFIG_HOME": "/x"}, "posix", "/x/numberyard/config.toml"),
        (None, {"XDG_CONFIG_HOME": "relative"}, "posix", f"{Path.home()}/.config/numberyard/config.toml"),
        (None, {}, "posix", f"{Path.home()}/.config/numberyard/config.toml"),
        (None, {"APPDATA": "/roaming"}, "nt", "/roaming/numberyard/config.toml"),
        ("/a/b.toml", {"XDG_CONFIG_HOME": "/x"}, "posix", "/a/b.toml"),
    ],
)
def test_the_place_of_the_file(given: str | None, environ: dict[str, str], system: str, expected: str) -> None:
    """XDG base directories; %APPDATA% on Windows."""
    assert config_path(given, environ, system) == Path(expected)


# Order


@pytest.fixture
def profiles(service: Service, path: Path) -> None:
    right = f'url = "{service.url}"\ntoken = "{TOKEN}"\n'
    wrong = f'url = "{ELSEWHERE}"\ntoken = "nyk_wrong"\n'
    written(path, f"[profiles.default]\n{wrong}[profiles.right]\n{right}")


@pytest.mark.usefixtures("profiles")
def test_options_before_environment_before_the_default_profile(cli: Cli, service: Service) -> None:
    right = {"NUMBERYARD_URL": service.url, "NUMBERYARD_TOKEN": TOKEN}
    wrong = {"NUMBERYARD_URL": ELSEWHERE, "NUMBERYARD_TOKEN": "nyk_wrong"}
    assert cli("jobs").exit_code == Exit.UNREACHABLE
    assert cli("jobs", **right).exit_code == Exit.OK
    assert cli("jobs", "--url", service.url, "--token", TOKEN, **wrong).exit_code == Exit.OK
    assert cli("jobs", "--profile", "right", **wrong).exit_code == Exit.OK
    assert cli("--profile", "right", "jobs", **wrong).exit_code == Exit.OK
    assert cli("jobs", NUMBERYARD_PROFILE="right").exit_code == Exit.OK
    assert cli("jobs", NUMBERYARD_PROFILE="right", **wrong).exit_code == Exit.UNREACHABLE


@pytest.mark.usefixtures("profiles")
def test_a_profiles_token_is_sent_to_its_own_service_only(cli: Cli, service: Service, path: Path) -> None:
    service.heard.clear()
    for words, env in ((("--url", service.url), {}), ((), {"NUMBERYARD_URL": service.url})):
        result = cli("jobs", *words, **env)
        assert result.exit_code == Exit.NOT_ALLOWED
        assert f"The token of profile default was not sent: it is for {ELSEWHERE}." in result.stderr
    assert service.heard == []
    written(path, f'[profiles.default]\ntoken = "{TOKEN}"\n')
    assert cli("jobs", NUMBERYARD_URL=service.url).exit_code == Exit.OK


@pytest.mark.usefixtures("profiles")
def test_an_unknown_profile_is_told_with_those_there_are(cli: Cli, tmp_path: Path) -> None:
    for words, env in ((("--profile", "nope"), {}), ((), {"NUMBERYARD_PROFILE": "nope"})):
        result = cli("jobs", *words, **env)
        assert result.exit_code == Exit.USAGE
        assert "default, right" in result.stderr
    assert cli("jobs", "--profile", "right", "--demo", str(tmp_path)).exit_code == Exit.USAGE


@pytest.mark.usefixtures("profiles")
def test_hints_name_the_profile_and_never_the_token(cli: Cli, tmp_path: Path) -> None:
    sheet = tmp_path / "n.csv"
    sheet.write_text("x")
    assert "numberyard --profile right jobs" in cli("upload", str(sheet), "--profile", "right").stdout
    told = cli("upload", str(sheet), "--profile", "right", "--token", TOKEN).output
    assert "--profile right --token TOKEN jobs" in told
    assert TOKEN not in told


@pytest.mark.usefixtures("profiles")
def test_suggested_commands_name_the_configuration_file(cli: Cli, path: Path, tmp_path: Path) -> None:
    """Else a command that is copied goes to the service of another file."""
    sheet, config = tmp_path / "n.csv", tmp_path / "other.toml"
    sheet.write_text("x")
    written(config, path.read_text(encoding="utf-8"))
    shown = cli("--config", str(config), "--profile", "right", "upload", str(sheet)).stdout
    assert f"numberyard --profile right --config {config} jobs" in shown
