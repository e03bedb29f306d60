"""The command line in pipes: the real program in a process of its own, against the real API and database."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pytest
import sqlalchemy as sa

from tests.support import factories
from tests.support.api_client import Door
from tests.support.cli_process import COMMAND, Program, environment
from tests.support.cli_runner import listening
from tests.support.factories import World
from tests.support.files import sheets
from webhook.cli.exit_codes import Exit

NOT_SIGNED_IN = (
    'NOT_SIGNED_IN: You are not signed in. Run "numberyard login", or set NUMBERYARD_URL and NUMBERYARD_TOKEN.\n'
)
FULL = Path("/dev/full")


@pytest.fixture
def program(world: World, work_off: Callable[[], None], tmp_path: Path) -> Iterator[Program]:
    """`numberyard` in the name of `north`; a worker does what is due."""
    folder = tmp_path / "here"
    folder.mkdir()
    with listening(work_off) as url:
        yield Program(environment(NUMBERYARD_URL=url, NUMBERYARD_TOKEN=world.north.token), folder)


def json_of(done: subprocess.CompletedProcess[bytes], code: Exit = Exit.OK) -> dict[str, object]:
    assert done.returncode == code, (done.stdout, done.stderr)
    document: dict[str, object] = json.loads(done.stdout)
    return document


def rows_of(done: subprocess.CompletedProcess[bytes]) -> list[list[str]]:
    assert done.returncode == Exit.OK, done.stderr
    return [line.split("\t") for line in done.stdout.decode().splitlines()]


# Standard input


@pytest.mark.parametrize("kind", ["csv", "gzip", "xlsx"])
def test_upload_from_standard_input(program: Program, kind: str) -> None:
    content, ending = sheets.csv_bytes(sheets.rows(5)), ".csv"
    if kind == "gzip":
        content, ending = gzip.compress(content), ".csv.gz"
    elif kind == "xlsx":
        content, ending = _workbook(), ".xlsx"
    job = json_of(program("upload", "-", "--watch", "--json", given=content))
    assert job["counts"]["created"] == 5  # type: ignore[index]
    assert job["file"]["name"] == f"stdin{ending}"  # type: ignore[index]


def _workbook() -> bytes:
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for row in sheets.rows(5):
        book.active.append(row)
    book.save(buffer)
    return buffer.getvalue()


def test_the_name_of_standard_input_and_the_same_file_twice(program: Program, tmp_path: Path) -> None:
    """A pipe is the same file as one on the disk: the service finds the earlier job by its content."""
    content = sheets.csv_bytes(sheets.rows(3))
    (tmp_path / "numbers.csv").write_bytes(content)
    first = json_of(program("upload", str(tmp_path / "numbers.csv"), "--watch", "--json"))
    second = json_of(program("upload", "-", "--name", "feed.csv", "--watch", "--json", given=content))
    assert second["file"]["name"] == "feed.csv"  # type: ignore[index]
    assert second["duplicate_of"] == first["id"]
    assert second["counts"]["skipped"] == 3  # type: ignore[index]


def test_numbers_for_an_action_from_standard_input(program: Program, stocked: Door) -> None:
    del stocked
    given = b"Phone Number\n+12125550004\n"
    job = json_of(program("change", "--file", "-", "--fax", "on", "--json", given=given))
    assert job["counts"]["updated"] == 1  # type: ignore[index]


def test_an_empty_standard_input_and_a_terminal_are_refused(program: Program) -> None:
    done = program("upload", "-")
    assert done.returncode == Exit.USAGE
    assert b"Standard input is empty" in done.stderr
    assert "standard input is a terminal" in program.on_terminal("upload", "-")
    assert rows_of(program("jobs"))[1:] == []


@pytest.mark.long
def test_memory_does_not_grow_with_standard_input(program: Program, tmp_path: Path) -> None:
    peaks = []
    for megabytes in (1, 96):
        path = tmp_path / "large.csv"
        with path.open("wb") as file:
            file.write(b"Phone Number\n")
            file.truncate(megabytes << 20)
        with path.open("rb") as file:
            process = subprocess.Popen(
                [*COMMAND, "upload", "-"],
                stdin=file,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=program.env,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            process.communicate()
        assert process.returncode == Exit.OK
        peaks.append(usage.ru_maxrss)
    assert peaks[1] - peaks[0] < 16 << 10  # kilobytes


def test_a_full_temporary_folder_is_told_with_its_path(program: Program, tmp_path: Path) -> None:
    done = program("upload", "-", given=b"x" * 300_000, before=_file_limit(100_000), TMPDIR=str(tmp_path))
    assert done.returncode == Exit.USAGE
    assert f"DISK_FULL: The disk is full: {tmp_path} was not saved.".encode() in done.stderr


# Formats


def test_lists_as_json_lines_tsv_and_chosen_fields(program: Program, stocked: Door) -> None:
    del stocked
    whole = json_of(program("numbers", "--json"))
    assert set(whole) == {"data", "next_cursor"}
    lines = program("numbers", "--output", "ndjson").stdout.splitlines()
    assert [json.loads(line) for line in lines] == whole["data"]
    chosen = json_of(program("numbers", "--json", "--fields", "e164,tenant.name", "--limit", "2"))
    assert len(chosen["data"]) == 2  # type: ignore[arg-type]
    for entry in chosen["data"]:  # type: ignore[attr-defined]
        assert entry == {"e164": entry["e164"], "tenant": {"name": entry["tenant"]["name"]}}
    header, *rows = rows_of(program("numbers", "--fields", "e164,tenant.name,voice,voice_user"))
    assert header == ["e164", "tenant.name", "voice", "voice_user"]
    clinic = ["+12125550000", "Clinic Enterprise"]
    assert [row[2] in {"true", "false"} for row in rows if row[:2] == clinic] == [True]
    assert len(rows) == len(lines)


@pytest.mark.parametrize(
    "words",
    [
        ("jobs",),
        ("numbers",),
        ("tenants", "list"),
        ("users", "list"),
        ("carriers", "list"),
        ("tokens", "list"),
        ("profiles", "list"),
        ("webhooks", "list"),
        ("callbacks", "list"),
        ("changes",),
    ],
)
def test_every_list_has_every_format(program: Program, stocked: Door, words: tuple[str, ...]) -> None:
    del stocked
    header, *rows = rows_of(program(*words))
    assert {len(row) for row in rows} <= {len(header)}
    lines = [json.loads(line) for line in program(*words, "--output", "ndjson").stdout.splitlines()]
    assert len(lines) == len(rows)
    if lines:
        field = next(iter(lines[0]))
        assert rows_of(program(*words, "--fields", field))[0] == [field]
        unknown = program(*words, "--fields", f"{field},nothing.such")
        assert (unknown.returncode, unknown.stdout.count(b"\n") <= 1) == (Exit.USAGE, True)
        assert b"No field \xe2\x80\x9cnothing.such\xe2\x80\x9d. Fields: " in unknown.stderr
        shown = program.on_terminal(*words)
        assert max(map(len, shown.splitlines())) <= 80 + 2 * len("\x1b[0m")
        assert "\t" not in shown
        assert str(next(iter(lines[0].values()))) in shown or words == ("changes",)


def test_tsv_is_the_same_on_any_terminal_and_escapes_separators(
    program: Program, world: World, database: sa.Engine
) -> None:
    name = "a\tb\\c\nd" + "x" * 200
    with database.begin() as connection:
        factories.job(connection, world.north.tenant, name=name)
    expected = ["Job", "Status", "File", "Rows", "Failed", "Kind", "Created"]
    header, row = rows_of(program("jobs", COLUMNS="20"))
    assert header == expected
    assert row[2] == r"a\tb\\c\nd" + "x" * 200
    on_terminal = program.on_terminal("jobs", "--output", "tsv", width=20)
    assert on_terminal.splitlines()[1].split("\t") == row
    shown = program.on_terminal("jobs", "--no-color", width=80).splitlines()
    assert shown[0].split() == ["Job", "Status", "File", "Failed"]
    assert (shown[1].startswith(row[0]), "…" in shown[1], len(shown[1]) <= 80) == (True, True, True)
    assert program.on_terminal("jobs", "--no-color", width=400).splitlines()[0].split() == header


def test_names_and_not_ids_in_tables_with_few_requests(program: Program, world: World) -> None:
    parents = {row[1]: row[3] for row in rows_of(program("tenants", "list"))[1:]}
    assert parents == {
        "Northern Reseller": "your provider",
        "Clinic Enterprise": "Northern Reseller",
        "Hotel Enterprise": "Northern Reseller",
    }
    defined = {row[1]: row[4] for row in rows_of(program("carriers", "list"))[1:]}
    assert (defined["North voice"], defined["Master Voice"]) == ("Northern Reseller", "your provider")
    shown = program("carriers", "list").stdout.decode()
    assert not any(secret in shown for secret in world.secrets_of_south)


def test_one_resource_in_every_format(program: Program, stocked: Door) -> None:
    del stocked
    job_id, *_ = rows_of(program("jobs", "--kind", "upload"))[1]
    chosen = json_of(program("jobs", job_id, "--json", "--fields", "id,file.name"))
    assert chosen == {"id": job_id, "file": {"name": "numbers.csv"}}
    assert rows_of(program("jobs", job_id, "--output", "tsv", "--fields", "status")) == [
        ["status"],
        [rows_of(program("jobs", "--fields", "status"))[-1][0]],
    ]
    assert program("jobs", job_id, "--fields", "id", "--no-header").stdout.decode() == f"{job_id}\n"
    assert program.on_terminal("jobs", job_id, "--fields", "id,status").startswith(f"id      {job_id}\nstatus  ")
    assert program("jobs", job_id).stdout.decode().startswith(f"Job {job_id}: ")
    assert program("jobs", "--json", "--output", "tsv").returncode == Exit.USAGE


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("upload", "-"), "nam"),
        (("change", "+12125550004", "--fax", "on"), "file.nam"),
        (("tenants", "add", "New", "--kind", "enterprise"), "kin"),
        (("tokens", "add", "night"), "secret"),
        (("webhooks", "list"), "events.x"),
        (("profiles", "list"), "mapping_name"),
    ],
)
def test_fields_that_do_not_exist_are_refused_before_anything_is_done(
    program: Program, database: sa.Engine, words: tuple[str, ...], field: str
) -> None:
    def counts() -> list[int]:
        with database.connect() as connection:
            names = ("jobs", "tenants", "tokens")
            return [connection.execute(sa.text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names]  # noqa: S608 - of constants

    before = counts()
    done = program(*words, "--fields", f"id,{field}", given=sheets.csv_bytes(sheets.rows(2)))
    assert counts() == before
    assert (done.returncode, f"No field “{field}”. Fields: ".encode() in done.stderr) == (Exit.USAGE, True), done.stderr
    assert done.stdout == b""


def test_the_id_of_a_new_job_for_a_script(program: Program) -> None:
    done = program.shell(
        "id=$(numberyard sample --rows 3 --out /dev/stdout -q | numberyard upload - --fields id --no-header) &&"
        ' numberyard jobs "$id" --watch --fields id,counts.total --no-header'
    )
    job_id, total = done.stdout.decode().rstrip("\n").split("\t")
    assert (len(job_id), total) == (36, "3"), done.stderr


# Filters


def test_jobs_are_filtered_by_state_kind_and_time(program: Program, stocked: Door) -> None:
    del stocked

    def kinds(*words: str) -> list[str]:
        return [row[0] for row in rows_of(program("jobs", "--fields", "kind", *words))[1:]]

    assert sorted(kinds()) == ["assign", "upload"]
    assert kinds("--kind", "assign") == ["assign"]
    assert sorted(kinds("--since", "2h")) == ["assign", "upload"]
    assert kinds("--until", "2020-11-01") == []
    assert kinds("--since", "2020-11-01", "--until", "2020-11-02T09:00:00+01:00") == []
    assert kinds("--search", "numbers.csv") == ["upload"]
    assert kinds("--status", "failed") == []
    assert kinds("--external-id", "none") == []


def test_numbers_are_filtered_by_their_last_change(program: Program, stocked: Door) -> None:
    del stocked
    count = len(rows_of(program("numbers", "--updated-since", "2h"))) - 1
    assert count == len(rows_of(program("numbers"))) - 1 > 0
    future = "2999-01-01"
    assert rows_of(program("numbers", "--updated-since", future))[1:] == []
    assert program("export", "--updated-since", future).stdout.count(b"\n") == 1
    words = ("change", "--all", "--fax", "on", "--yes", "--json")
    assert program(*words, "--updated-since", future).returncode == Exit.REFUSED
    changed = program(*words, "--updated-since", "2h")
    assert json.loads(changed.stdout)["counts"]["total"] == count


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (("--status", "done"), b"completed_with_errors"),
        (("--kind", "import"), b"unassign"),
        (("--since", "yesterday"), b"2026-11-01"),
        (("--code", "NONSENSE"), b"DUPLICATE_IN_FILE"),
    ],
)
def test_unknown_filters_are_refused_without_a_request(words: tuple[str, ...], allowed: bytes) -> None:
    done = Program(environment(NUMBERYARD_URL="http://127.0.0.1:1", NUMBERYARD_TOKEN="nyk_x"))("jobs", *words)  # noqa: S106 - no token
    assert (done.returncode, allowed in done.stderr) == (Exit.USAGE, True), done.stderr


# Problems


@pytest.mark.parametrize(
    "words", [("jobs",), ("numbers",), ("tenants", "list"), ("export",), ("report", "x"), ("changes",), ("undo", "x")]
)
def test_without_configuration_there_is_one_line(words: tuple[str, ...]) -> None:
    done = Program()(*words)
    assert (done.returncode, done.stderr.decode()) == (Exit.NOT_ALLOWED, NOT_SIGNED_IN)
    if words != ("changes",):
        assert done.stdout == b""


def test_problems_are_one_document_on_stderr_for_programs(program: Program) -> None:
    not_there = program("jobs", "0198c0de-0000-4000-8000-000000000000", "--json")
    assert not_there.returncode == Exit.NOT_FOUND
    assert json.loads(not_there.stderr)["code"] == "NOT_FOUND"
    assert json.loads(not_there.stderr) == json.loads(not_there.stdout)
    lines = program("jobs", "0198c0de-0000-4000-8000-000000000000", "--output", "ndjson")
    assert (json.loads(lines.stderr)["status"], lines.stdout) == (404, b"")
    usage = json.loads(program("jobs", "--json", "--status", "done").stderr)
    assert (usage["code"], usage["field"]) == ("WRONG_USAGE", "--status")
    assert "completed_with_errors" in usage["detail"]
    away = program("jobs", "--json", NUMBERYARD_URL="http://127.0.0.1:1")
    assert (away.returncode, json.loads(away.stderr)["code"]) == (Exit.UNREACHABLE, "UNREACHABLE")
    unsigned = Program()("jobs", "--json")
    assert json.loads(unsigned.stderr)["code"] == "NOT_SIGNED_IN"
    wrong = program("jobs", "--json", NUMBERYARD_TOKEN="nyk_wrong")  # noqa: S106 - no token
    assert (wrong.returncode, json.loads(wrong.stderr)["status"]) == (Exit.NOT_ALLOWED, 401)


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
@pytest.mark.parametrize(
    "words", [("jobs",), ("jobs", "--json"), ("numbers", "--output", "ndjson"), ("export",), ("--help",), ("changes",)]
)
def test_a_full_disk_behind_stdout(program: Program, stocked: Door, words: tuple[str, ...]) -> None:
    del stocked
    with FULL.open("wb") as full:
        done = program(*words, stdout=full)
    assert done.returncode == Exit.USAGE, done.stderr
    if "--json" in words or "ndjson" in words:
        assert json.loads(done.stderr)["code"] == "DISK_FULL"
    else:
        assert done.stderr.startswith(b"DISK_FULL: The disk is full: stdout is not complete.\n")
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


def _file_limit(size: int) -> Callable[[], None]:
    """No file may become larger: the same as a full disk, without one (EFBIG)."""

    def apply() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return apply


@pytest.mark.parametrize("command", ["report", "export", "sample"])
def test_a_full_disk_leaves_the_old_file_and_no_other(program: Program, stocked: Door, command: str) -> None:
    del stocked
    assert program.folder is not None
    path = program.folder / "out.csv"
    path.write_text("before")
    job_id = rows_of(program("jobs", "--kind", "upload"))[1][0]
    words = {"report": ("report", job_id), "export": ("export",), "sample": ("sample",)}[command]
    done = program(*words, "--out", str(path), before=_file_limit(20))
    assert (done.returncode, f"The disk is full: {path} was not saved.".encode() in done.stderr) == (Exit.USAGE, True)
    assert {file.name: file.read_text() for file in program.folder.iterdir()} == {"out.csv": "before"}
    document = json.loads(program(*words, "--out", str(path), "--json", before=_file_limit(20)).stderr)
    assert (document["code"], document["path"]) == ("DISK_FULL", str(path))


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="needs root")
def test_a_small_file_system_that_is_full(program: Program, stocked: Door) -> None:
    """ENOSPC from a real file system."""
    del stocked
    assert program.folder is not None
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", program.folder], check=False).returncode:
        pytest.skip("may not mount")
    try:
        done = program("sample", "--rows", "5000", "--out", "s.csv")
        assert (done.returncode, b"DISK_FULL" in done.stderr) == (Exit.USAGE, True), done.stderr
        assert list(program.folder.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", program.folder], check=True)


def test_paths_that_cannot_be_written(program: Program) -> None:
    for path in ("no/such/s.csv", "/dev/null/s.csv", "/proc/s.csv"):
        done = program("sample", "--rows", "1", "--out", path)
        assert (done.returncode, done.stderr.startswith(f"CANNOT_WRITE: Cannot write {path}: ".encode())) == (
            Exit.USAGE,
            True,
        ), done.stderr


def test_devices_pipes_and_links_are_written_to(program: Program) -> None:
    assert program.folder is not None
    assert program("sample", "--rows", "2", "--out", "/dev/stdout").stdout.count(b"\n") == 3
    (program.folder / "link.csv").symlink_to("real.csv")
    assert program("sample", "--rows", "2", "--out", "link.csv").returncode == Exit.OK
    assert (program.folder / "link.csv").is_symlink()
    assert (program.folder / "real.csv").read_text().count("\n") == 3


@pytest.mark.parametrize(
    "words",
    ["numbers", "numbers --json", "export", "changes", "--help", "jobs --help", "completion bash", "jobs x 2>&1"],
)
def test_a_reader_that_has_enough(program: Program, stocked: Door, words: str) -> None:
    del stocked
    done = program.shell(f"numberyard {words} | true; echo ${{PIPESTATUS[0]}} >code; exec 3>&-")
    assert done.stderr == b""
    assert program.folder is not None
    assert int((program.folder / "code").read_text()) in {Exit.CUT_OFF, Exit.OK, Exit.NOT_FOUND}


def test_closed_streams_are_no_reason_to_fail(program: Program, stocked: Door) -> None:
    del stocked
    done = program.shell(
        "numberyard jobs >&-; echo $?; numberyard jobs 2>&- | head -1; numberyard sample --out s.csv <&- >&- 2>&-"
    )
    assert done.stdout.decode().splitlines()[0] == "0"
    assert done.stdout.decode().splitlines()[1].startswith("Job\t")
    assert program.folder is not None
    assert (program.folder / "s.csv").read_text().count("\n") == 1001


# Quiet, without colors


def test_quiet_and_no_color(program: Program, stocked: Door) -> None:
    del stocked
    words = ("numbers", "--limit", "1")
    assert b"To see more" in program(*words).stderr
    assert program(*words, "--quiet").stderr == program("-q", *words).stderr == b""
    assert program("jobs", "x", "--quiet").stderr.startswith(b"NOT_FOUND: ")
    assert "\x1b[" in program.on_terminal(*words)
    for shown in (
        program.on_terminal(*words, "--no-color"),
        program.on_terminal("--no-color", *words),
        program.on_terminal(*words, NO_COLOR="1"),
        program.on_terminal(*words, TERM="dumb"),
    ):
        assert "\x1b" not in shown


# Completion


COMPLETE_BASH = r"""
set -o pipefail
eval "$(numberyard completion bash)"
complete_line() {
    COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}
    local word; COMP_WORDS=()
    while IFS= read -r word; do COMP_WORDS+=("$word"); done <<<"$2"
    COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); COMPREPLY=()
    _numberyard_completion numberyard
    printf '%s\n' "${COMPREPLY[@]}"
    echo --
}
"""


def bash(program: Program, *lines: list[str]) -> list[list[str]]:
    """What bash offers for the last word of each line; fails if anything else is shown."""
    calls = "\n".join(map(_call, lines))
    done = program.shell(COMPLETE_BASH + calls)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr
    parts = done.stdout.decode().split("--\n")[:-1]
    return [[word for word in part.splitlines() if word] for part in parts]


def _call(line: list[str]) -> str:
    words = "\n".join(line).replace("'", "'\\''")
    return f"complete_line 'numberyard' '{words}'"


def test_bash_completes_commands_options_and_values(program: Program, stocked: Door) -> None:
    job_id = str(stocked.get("/v1/jobs").json["data"][0]["id"])
    offered = bash(
        program,
        ["numberyard", "call"],
        ["numberyard", "jobs", "--stat"],
        ["numberyard", "jobs", "--status", "comp"],
        ["numberyard", "jobs", "--kind", "una"],
        ["numberyard", "jobs", "--output", ""],
        ["numberyard", "jobs", job_id[:8]],
        ["numberyard", "numbers", "--tenant", "clin"],
        ["numberyard", "numbers", "--tenant", '"Clin'],
        ["numberyard", "tenants", "show", "Hotel"],
        ["numberyard", "upload", "--voice-carrier", "No"],
        ["numberyard", "upload", "--sms-carrier-profile", "No"],
    )
    assert offered == [
        ["callbacks"],
        ["--status"],
        ["completed", "completed_with_errors"],
        ["unassign"],
        ["table", "tsv", "json", "ndjson"],
        [job_id],
        [r"Clinic\ Enterprise"],
        ["Clinic Enterprise"],
        [r"Hotel\ Enterprise"],
        [r"North\ voice"],
        [r"North\ sms"],
    ]


def test_bash_does_not_run_what_names_of_others_contain(program: Program, api: Door) -> None:
    """Within a quote that the user has opened, bash would expand them."""
    for name in ("Zed $(touch pwned)", "Zed `touch pwned`", 'Zed "x"', "Zed 'x'", "Zed plain"):
        made = api.post("/v1/tenants", {"name": name, "kind": "enterprise"})
        assert made.status_code == 201, made.text
    words = ("Zed", '"Zed', "'Zed", 'a"Zed')
    offered = bash(program, *(["numberyard", "numbers", "--tenant", word] for word in words))
    assert sorted(offered[0]) == sorted(
        [r"Zed\ \$\(touch\ pwned\)", r"Zed\ \`touch\ pwned\`", r"Zed\ \"x\"", r"Zed\ \'x\'", r"Zed\ plain"]
    )
    assert sorted(offered[1]) == ["Zed 'x'", "Zed plain"]
    assert sorted(offered[2]) == ['Zed "x"', "Zed $(touch pwned)", "Zed `touch pwned`", "Zed plain"]
    assert offered[3] == []


def test_completion_is_silent_and_quick_where_no_service_answers(program: Program) -> None:
    """Nothing is shown; the time is that of the program and at most a second for the service."""
    for env in ({"NUMBERYARD_URL": "http://127.0.0.1:1"}, {"NUMBERYARD_TOKEN": "nyk_wrong"}, {"NUMBERYARD_URL": "x:"}):
        apart = Program(program.env | env, program.folder)
        assert bash(apart, ["numberyard", "jobs", "0"], ["numberyard", "jobs", "--ki"]) == [[], ["--kind"]]


ZSH = r"""
autoload -U compinit; compinit -u -D
eval "$(numberyard completion zsh)"
# What the completion function offers, without a terminal.
compadd() { local -a words; words=("${(@)completions}"); print -rl -- $words }
_describe() { print -rl -- "${(@)completions_with_descriptions}" }
words=(%s); CURRENT=${#words}
_numberyard_completion
"""


@pytest.mark.long
@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh")
def test_zsh_completes(program: Program, stocked: Door) -> None:
    del stocked
    for words, offered in (
        ("numberyard numbers --tenant Clin", "Clinic Enterprise:enterprise"),
        ("numberyard jobs --status fail", "failed"),
    ):
        done = program.shell(ZSH % words, ("zsh", "-f", "-c"))
        assert (done.stdout.decode().splitlines(), done.stderr) == ([offered], b"")


@pytest.mark.long
@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_completes(program: Program, stocked: Door) -> None:
    del stocked
    lines = ("numberyard numbers --tenant Clin", "numberyard jobs --status fail")
    script = "numberyard completion fish | source; " + "; ".join(f"complete -C '{line}'" for line in lines)
    done = program.shell(script, ("fish", "-c"))
    assert done.stdout.decode().splitlines() == ["Clinic Enterprise\tenterprise", "failed"]
    assert done.stderr == b""
