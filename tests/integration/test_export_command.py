"""`numberyard export`: the real command on the real service; a file is complete or not there."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

import httpx
import openpyxl
import pytest
import sqlalchemy as sa

from tests.support import factories
from tests.support.cli_runner import Cli, told
from tests.support.factories import World
from webhook.cli.client import Api
from webhook.cli.commands import export
from webhook.cli.connection_errors import UnreachableError
from webhook.cli.exit_codes import Exit
from worker.numbers.export import COLUMNS

FIRST = 12125550100


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(autouse=True)
def numbers(world: World, database: sa.Engine) -> None:
    """Three numbers of `north`, one of them at the clinic; one of `south`."""
    with database.begin() as connection:
        rows = [factories.number_row(FIRST + place, world.north.tenant) for place in range(3)]
        rows[2]["holder_id"] = world.clinic.id
        factories.numbers(connection, [*rows, factories.number_row(FIRST + 90, world.south.tenant)])


def test_to_stdout_as_csv_and_json_lines(cli: Cli) -> None:
    result = cli("export", "+1212")
    assert (result.exit_code, result.stdout.count("\n")) == (Exit.OK, 4), result.output
    lines = [json.loads(line) for line in cli("export", "--format", "jsonl", "--out", "-").stdout.splitlines()]
    assert [line["e164"] for line in lines] == [f"+{FIRST + place}" for place in range(3)]
    assert cli("export", "--status", "assigned").stdout.count("\n") == 2


def test_to_a_file_by_its_ending(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "clinic.jsonl"
    saved = told(cli("export", "--tenant", "clinic enterprise", "--out", str(path), "--json"))
    assert saved == {"path": str(path), "bytes": path.stat().st_size}
    assert len(path.read_text().splitlines()) == 1
    result = cli("export", "--out", str(tmp_path / "all.csv"))
    assert (result.exit_code, result.stdout) == (Exit.OK, "")
    assert "Saved: " in result.stderr
    assert names_in(tmp_path) == ["all.csv", "clinic.jsonl"]


def test_excel_is_made_by_a_job(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "numbers.xlsx"
    saved = told(cli("export", "--out", str(path), "--json"))
    sheet = openpyxl.load_workbook(path).active
    assert [cell.value for cell in next(sheet.iter_rows())] == list(COLUMNS)
    assert sheet.max_row == 4
    assert told(cli("jobs", saved["job_id"], "--json"))["counts"]["total"] == 3
    watched = cli("jobs", saved["job_id"], "--watch")
    assert (watched.exit_code, f"/v1/jobs/{saved['job_id']}/file" in watched.stdout) == (Exit.OK, True), watched.output
    assert cli("export", "--format", "xlsx").exit_code == Exit.USAGE


def test_what_is_refused_leaves_no_file(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("before")
    result = cli("export", "--country", "Nowhere", "--out", str(path))
    assert (result.exit_code, "INVALID_FIELD" in result.stderr) == (Exit.REFUSED, True), result.output
    assert cli("export", "--out", str(tmp_path / "no" / "x.csv")).exit_code == Exit.USAGE
    assert (path.read_text(), names_in(tmp_path)) == ("before", ["numbers.csv"])


def test_a_full_disk_is_told_as_such(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    class Full:
        """A file on a disk without space."""

        def __init__(self, file: IO[Any]) -> None:
            self._file = file

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def write(self, _: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    def opened(self: Path, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - as the real one
        file = real(self, *args, **more)
        return Full(file) if self.suffix == ".part" else file

    monkeypatch.setattr(Path, "open", opened)
    path = tmp_path / "numbers.csv"
    result = cli("export", "--out", str(path))
    assert (result.exit_code, "The disk is full" in result.stderr) == (Exit.USAGE, True), result.output
    assert names_in(tmp_path) == []


def test_a_download_that_breaks_off_is_resumed(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_PAUSE", 0)
    real, starts = Api.job_file, []

    @contextmanager
    def job_file(self: Api, job_id: str, start: int = 0, etag: str | None = None) -> Iterator[Any]:
        starts.append(start)
        with real(self, job_id, start, etag) as (answer, is_resumed):
            yield (_Broken(answer), is_resumed) if len(starts) == 1 else (answer, is_resumed)

    monkeypatch.setattr(Api, "job_file", job_file)
    path = tmp_path / "numbers.xlsx"
    assert cli("export", "--out", str(path)).exit_code == Exit.OK
    assert starts == [0, 100]
    assert openpyxl.load_workbook(path).active.max_row == 4


class _Broken:
    """A response that breaks off after 100 bytes."""

    def __init__(self, answer: httpx.Response) -> None:
        self.headers = answer.headers
        self._answer = answer

    def iter_bytes(self) -> Iterator[bytes]:
        yield next(self._answer.iter_bytes())[:100]
        raise UnreachableError("The connection was lost.")


def test_a_stream_that_breaks_off_leaves_no_file(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def broken(*_args: Any) -> Iterator[Iterator[bytes]]:  # noqa: ANN401 - as the real one
        def pieces() -> Iterator[bytes]:
            yield b"half"
            raise UnreachableError("The connection was lost.")

        yield pieces()

    monkeypatch.setattr(Api, "numbers_file", broken)
    result = cli("export", "--out", str(tmp_path / "numbers.csv"))
    assert (result.exit_code, names_in(tmp_path)) == (Exit.UNREACHABLE, [])
    result = cli("export")
    assert (result.exit_code, "not complete" in result.stderr) == (Exit.UNREACHABLE, True), result.output
