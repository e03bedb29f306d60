"""Reports of files with any name, through the real server: 200, under the right name, in one folder (RFC 6266)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from email.utils import collapse_rfc2231_value
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from werkzeug.http import parse_options_header

from tests import commands, hostile_names, named_files
from tests.commands import told
from tests.factories import World
from tests.portal import signed_in
from tests.service import NO_TLS
from tests.web_server import SECONDS, serving
from webhook import file_names
from webhook.cli.exits import Exit
from worker.infra.settings import get_settings

WINDOWS = {"CON", "PRN", "AUX", "NUL"} | {f"{port}{digit}" for port in ("COM", "LPT") for digit in "123456789"}


@dataclass(frozen=True)
class Site:
    """The API and the portal over HTTP, in the name of one reseller; `work` does what is due."""

    url: str
    token: str
    api: httpx.Client
    portal: httpx.Client
    work: Callable[[], None]

    @property
    def environment(self) -> dict[str, str]:
        """Return the settings of the command line."""
        return {"NUMBERYARD_URL": self.url, "NUMBERYARD_TOKEN": self.token}

    def upload(self, name: bytes, **fields: str) -> str:
        """Upload a file whose part has this name, byte for byte; return the job's id."""
        return named_files.upload(self.api, name, **fields)

    def upload_all(self, names: Iterable[bytes]) -> list[str]:
        """Upload files of these names, to be reviewed, which takes less time than carrying them out."""
        with ThreadPoolExecutor(4) as pool:
            jobs = list(pool.map(lambda name: self.upload(name, mode="review"), names))
        self.work()
        return jobs


@pytest.fixture
def site(database: sa.Engine, world: World, work_off: Callable[[], None]) -> Iterator[Site]:
    cookies = signed_in(database, world.north.tenant).cookies()
    with (
        serving(get_settings()) as server,
        server.client(world.north.token) as api,
        httpx.Client(base_url=server.url, cookies=cookies, timeout=SECONDS, trust_env=False, verify=NO_TLS) as portal,
    ):
        yield Site(server.url, world.north.token, api, portal, work_off)


def saved_as(answer: httpx.Response) -> str:
    """The name of a download, on which two readers of the header agree."""
    assert answer.status_code == 200, answer.text
    header = answer.headers["Content-Disposition"]
    assert header.isascii()
    message = Message()
    message["Content-Disposition"] = header
    (kind, _), *options = message.get_params([], "Content-Disposition")
    found = [collapse_rfc2231_value(value) for name, value in options if name == "filename"]
    assert (kind, found[-1]) == ("attachment", parse_options_header(header)[1]["filename"])
    assert len(found) == len(options)
    for name in found:
        assert_can_be_saved(name)
    return found[-1]


def assert_can_be_saved(name: str) -> None:
    """A name that every file system holds, and that shows what it is."""
    assert 0 < len(name.encode()) <= hostile_names.LONGEST
    assert not set(name) & set('<>:"/\\|?*')
    assert name[0] not in " ."
    assert name[-1] not in " ."
    assert name.partition(".")[0].upper() not in WINDOWS
    assert name == file_names.printable(name)


def test_reports_of_every_name_can_be_saved(site: Site, tmp_path: Path) -> None:
    """By the API, the portal, curl and the command line."""
    names = hostile_names.names()
    jobs = site.upload_all(names)
    headers = {}

    def check(given: bytes, stem: str | None, job: str) -> None:
        answer = site.api.get(f"/v1/jobs/{job}/report.csv")
        name = saved_as(answer)
        assert name.endswith("-review-all.csv"), given
        assert stem is None or name == f"{stem}-review-all.csv", given
        headers[job] = answer.headers["Content-Disposition"]
        assert saved_as(site.portal.get(f"/jobs/{job}/report.csv")) == name, given

    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(check, names, names.values(), jobs))) == hostile_names.COUNT
    for job in jobs[:3]:
        for ending, rows in (("jsonl", "failed"), ("csv", "failed"), ("xlsx", "all")):
            path, query = f"/jobs/{job}/report.{ending}", {"rows": rows}
            name = saved_as(site.api.get(f"/v1{path}", params=query))
            assert name.endswith(f"-review-{rows}.{ending}")
            assert ending == "jsonl" or name == saved_as(site.portal.get(path, params=query))
    for job in jobs:
        done = commands.run("report", job, "--out", str(tmp_path / job), **site.environment)
        assert done.exit_code == Exit.OK, done.output
        assert (tmp_path / job).stat().st_size > len(named_files.CONTENT)
    if shutil.which("curl") is not None:
        save_by_curl(site, headers, tmp_path / "curl")


def save_by_curl(site: Site, headers: dict[str, str], folder: Path) -> None:
    """Have curl save the reports of jobs, each in a folder of its own, under the plain name in its header."""
    lines: list[str] = []
    for job in headers:
        lines += ["next"] if lines else []
        lines += ["silent", "show-error", "fail", 'noproxy = "*"', "remote-name", "remote-header-name"]
        lines += ["create-dirs", f'output-dir = "{folder / job}"', f'header = "Authorization: Bearer {site.token}"']
        lines.append(f'url = "{site.url}/v1/jobs/{job}/report.csv"')
    done = subprocess.run(
        ["curl", "--config", "-"], input="\n".join(lines), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for job, header in headers.items():
        plain = re.match(r'attachment; filename="([^"]*)"', header)
        assert plain is not None
        assert_can_be_saved(plain[1])
        saved = list((folder / job).rglob("*"))
        assert [path.name for path in saved] == [plain[1]], header
        assert saved[0].stat().st_size > len(named_files.CONTENT)


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("numbers.csv", "numbers-all.csv"),
        ("it's 100 % (final); a=b.csv", "it's 100 % (final); a=b-all.csv"),
        ("say _hi_.csv", "say _hi_-all.csv"),
        ("100%25.csv", "100_25-all.csv"),
        ("Bestellung – März.csv", "Bestellung - Marz-all.csv"),
        ("電話.csv", "_-all.csv"),
    ],
)
def test_clients_that_know_ascii_only_get_what_it_can_show(name: str, saved: str) -> None:
    """Such as curl. Names in ASCII are exact, but for a percent sign that some clients decode."""
    header = file_names.disposition(file_names.cut(name.rpartition(".")[0], "-all.csv"))
    assert header.startswith(f'attachment; filename="{saved}"')


def test_the_command_line_writes_only_where_it_is_told(site: Site, tmp_path: Path) -> None:
    """It takes no name from the server; files of its own may have any name, also one that is not UTF-8."""
    folder = tmp_path / "reports"
    folder.mkdir()
    for place, name in enumerate((b"../../evil.csv", b"\xff\xfe.csv", "電話 \x1b[31m.csv".encode(), b"..\\x.csv")):
        upload = folder / os.fsdecode(name.replace(b"/", b"_"))
        upload.write_bytes(named_files.CONTENT)
        told(commands.run("upload", str(upload), "--json", **site.environment))
        upload.unlink()
        job = site.upload(name) if b"\xff" not in name else site.upload("\ufffd.csv".encode())
        site.work()
        out = folder / f"report {place}.csv"
        done = commands.run("report", job, "--out", str(out), **site.environment)
        assert done.exit_code == Exit.OK, done.output
        assert "\x1b" not in done.output
    assert {path.name for path in folder.rglob("*")} == {f"report {place}.csv" for place in range(4)}
    kept = [job["file"]["name"] for job in site.api.get("/v1/jobs").json()["data"]]
    assert "\ufffd\ufffd.csv" in kept
