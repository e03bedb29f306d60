"""The command line on terminals and pipes of every kind: widths, colours, encodings, readers that go away."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.unit.fake_service import JOB_ID, TOKEN, Service, job, running
from webhook.cli import main
from webhook.cli.command_table import COMMANDS
from webhook.cli.exit_codes import Exit
from webhook.cli.terminal import at_home, span, when

_COMMAND = (sys.executable, "-c", "from webhook.cli import main; main()")
_COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
LONG = "0198c0de-0000-4000-8000-00000000000"


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as made:
        yield made


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.csv"
    path.write_text("Country Code,Phone Number,Voice,SMS\n1,2125550142,TRUE,FALSE\n")
    return path


def environment(service: Service, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TERM", "COLUMNS"}}
    known = {"NUMBERYARD_URL": service.url, "NUMBERYARD_TOKEN": TOKEN, "NUMBERYARD_CONFIG": "/none"}
    return kept | known | {"TERM": "xterm-256color"} | more


def on_terminal(service: Service, *words: str, width: int = 80, **env: str) -> str:
    """All that a command writes to a terminal of that width, on both streams."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    process = subprocess.Popen(
        [*_COMMAND, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environment(service, **env)
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other side is closed (Linux)
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    process.wait(timeout=30)
    return shown.decode()


# Help


def test_help_has_each_command_once_by_task_and_examples_that_exist() -> None:
    told = CliRunner().invoke(main, ["--help"]).output
    for heading in ("Import numbers:", "Examples:", "URL and token:", "Exit codes:"):
        assert heading in told
    for name, lazy in COMMANDS.items():
        assert len(re.findall(rf"(?m)^  {name} +{re.escape(lazy.help)}$", told)) == 1
    examples = re.findall(r"(?m)^  numberyard (\w+)", told.partition("Examples:")[2])
    assert examples
    assert set(examples) <= set(COMMANDS)
    assert max(map(len, told.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == Exit.OK
    assert result.output.startswith(f"Usage: main {name}")


def test_a_slip_of_the_pen_is_pointed_out() -> None:
    result = CliRunner().invoke(main, ["uplaod"])
    assert result.exit_code == Exit.USAGE
    assert "Did you mean “upload”?" in result.stderr


# Completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_writes_the_script_and_says_how_to_have_it(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == Exit.OK
    assert f"_NUMBERYARD_COMPLETE={shell}_complete" in result.stdout
    told = CliRunner().invoke(main, ["completion", "--help"]).output
    assert f"numberyard completion {shell}" in told


def completed(service: Service, words: str) -> str:
    env = environment(service, _NUMBERYARD_COMPLETE="bash_complete", COMP_WORDS=words)
    env["COMP_CWORD"] = str(words.count(" "))
    code = "import sys; sys.argv[0] = 'numberyard'; from webhook.cli import main; main(prog_name='numberyard')"
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False).stdout


@pytest.mark.long
def test_commands_options_and_job_ids_are_completed(service: Service) -> None:
    service.lists["/v1/jobs"] = [job(id=f"{LONG}{place}") for place in range(3)]
    assert completed(service, "numberyard call") == "plain,callbacks\n"
    assert "plain,--on-existing" in completed(service, "numberyard upload --on-e")
    assert completed(service, "numberyard tenants sh") == "plain,show\n"
    for command in ("jobs", "report", "cancel", "undo", "confirm"):
        assert completed(service, f"numberyard {command} 0198").splitlines() == [
            f"plain,{LONG}{place}" for place in range(3)
        ]


def test_completing_where_nobody_answers_says_nothing(service: Service) -> None:
    service.refusal = (401, {"code": "UNAUTHENTICATED"})
    assert completed(service, "numberyard jobs 0198").strip() == ""


# Tables


@pytest.mark.long
def test_what_is_copied_is_never_cut(service: Service) -> None:
    service.page_size = 10
    service.lists["/v1/jobs"] = [job(id=f"{LONG}{place}", status="completed_with_errors") for place in range(3)]
    for width in (20, 40, 60, 80, 200):
        shown = _CONTROL.sub("", on_terminal(service, "jobs", width=width))
        for place in range(3):
            assert f"{LONG}{place}" in shown, width
        assert ("Hidden" in shown) == (width == 80), width
    assert "completed_with_errors" in on_terminal(service, "jobs", width=20)


def test_off_a_terminal_a_table_is_whole(service: Service) -> None:
    name = "a" * 300
    service.lists["/v1/jobs"] = [job(file={"name": name})]
    done = subprocess.run(
        [*_COMMAND, "jobs"], env=environment(service, COLUMNS="40"), capture_output=True, text=True, check=True
    )
    assert name in done.stdout
    assert done.stderr == ""
    assert all(line == line.rstrip() for line in done.stdout.splitlines())


# Bars


@pytest.mark.long
def test_bars_show_speed_time_left_and_no_queue_that_is_over(service: Service, sheet: Path) -> None:
    queued = job("accepted", progress={"queue_position": 3})
    service.jobs = [queued, job("checking"), job("running"), job("publishing"), job()]
    shown = on_terminal(service, "upload", str(sheet), "--watch", width=100)
    assert "position 3" in shown
    assert "50 of 100 rows, 25 rows/s, 2 s left" in shown
    last = _CONTROL.sub("", shown[shown.rindex("Upload") :])
    assert "Queue" not in last
    assert "Import" in last
    assert "1 rows" not in last


@pytest.mark.long
def test_a_narrow_terminal_keeps_the_figures(service: Service, sheet: Path) -> None:
    # Twice: what is shown right before the end may be gone before the bars are drawn again.
    service.jobs = [job("running"), job("running"), job()]
    shown = on_terminal(service, "upload", str(sheet), "--watch", width=50)
    assert "Import  50% 50 of 100 rows, 25 rows/s, 2 s left" in _CONTROL.sub("", shown)
    assert "━" not in shown


@pytest.mark.long
def test_no_color_means_none(service: Service, sheet: Path) -> None:
    """https://no-color.org."""
    assert _COLOUR.search(on_terminal(service, "upload", str(sheet), "--watch"))
    assert not _COLOUR.search(on_terminal(service, "upload", str(sheet), "--watch", NO_COLOR="1"))


@pytest.mark.long
def test_a_terminal_that_cannot_go_back_gets_plain_lines(service: Service, sheet: Path) -> None:
    service.jobs = [job("running"), job()]
    shown = on_terminal(service, "upload", str(sheet), "--watch", TERM="dumb")
    assert "\x1b" not in shown
    assert "running: 50 of 100 rows, 25 rows/s, 2 s left" in shown


@pytest.mark.long
def test_off_a_terminal_there_are_no_control_characters(service: Service, sheet: Path) -> None:
    service.jobs = [job("checking"), job("running"), job("completed_with_errors")]
    words = ("upload", str(sheet), "--watch")
    done = subprocess.run([*_COMMAND, *words], env=environment(service), capture_output=True, check=False)
    assert not any(byte < 32 and byte != 10 for byte in done.stdout + done.stderr)


# Streams


@pytest.mark.parametrize("words", [("jobs",), ("jobs", "--json"), ("report", JOB_ID)])
def test_a_reader_that_goes_away_ends_the_command_quietly(service: Service, words: tuple[str, ...]) -> None:
    service.lists["/v1/jobs"] = [job()]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*_COMMAND, *words], env=environment(service), stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == Exit.CUT_OFF


@pytest.mark.long
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp437", "ascii"])
def test_an_encoding_without_our_quotation_marks(service: Service, encoding: str) -> None:
    service.lists["/v1/tenants"] = [{"id": "t-1", "name": "Müller 東京"}]
    env = environment(service, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    for words, code in ((("tenants", "list"), Exit.OK), (("numbers", "--tenant", "Zz"), Exit.NOT_FOUND)):
        done = subprocess.run([*_COMMAND, *words], env=env, capture_output=True, check=False)
        assert done.returncode == code
        assert b"INTERNAL_ERROR" not in done.stderr
    assert b"Zz" in done.stderr


def test_json_is_alone_on_stdout_even_beside_bars(service: Service, sheet: Path) -> None:
    service.jobs = [job("running"), job("completed_with_errors")]
    words = ("upload", str(sheet), "--report", str(sheet.with_name("r.csv")), "--json")
    result = CliRunner().invoke(main, words, env=environment(service))
    assert json.loads(result.stdout)["id"] == JOB_ID
    assert result.stderr == ""


# Words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (11400, "3 h 10 min")],
)
def test_span(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-01-02T10:00:00.5+02:00", "2026-01-02 08:00:00Z"),
        ("2026-01-02T10:00:00Z", "2026-01-02 10:00:00Z"),
        (None, ""),
        ("soon", "soon"),
    ],
)
def test_when(value: object, text: str) -> None:
    assert when(value) == text


def test_paths_below_the_home_folder_begin_with_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/homes/ann")
    assert at_home(Path("/homes/ann/.config/x")) == "~/.config/x"
    assert at_home(Path("/srv/x")) == "/srv/x"
