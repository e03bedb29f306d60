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

from schemas.database import tables
from schemas.printable_text import printable
from tests.support import cli_runner
from tests.support.cli_runner import told
from tests.support.factories import World
from tests.support.files import hostile_names, named_files
from tests.support.portal_client import signed_in
from tests.support.servers.service import NO_TLS
from tests.support.servers.web_server import SECONDS, serving
from webhook.cli.exit_codes import Exit
from webhook.http import file_names

ROUND = 10  # names at a time
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
        """Upload files of these names; return the ids of their jobs, which wait to be carried out."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda name: self.upload(name, mode="review"), names))


@pytest.fixture
def site(database: sa.Engine, world: World, work_off: Callable[[], None], tmp_path: Path) -> Iterator[Site]:
    cookies = signed_in(database, world.north.tenant).cookies()
    with (
        serving(tmp_path, 2) as server,
        server.client(world.north.token) as api,
        httpx.Client(base_url=server.url, cookies=cookies, timeout=SECONDS, trust_env=False, verify=NO_TLS) as portal,
    ):
        yield Site(server.url, world.north.token, api, portal, work_off)


def name_in(header: str) -> str:
    """Return the name of a download, on which two readers of the header agree."""
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
    assert name == printable(name)


@pytest.mark.long
@pytest.mark.timeout(900)  # a thousand requests, on a machine that may be busy
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_reports_of_every_name_can_be_saved(site: Site, database: sa.Engine, tmp_path: Path) -> None:
    """By the API with curl, by the portal and by the command line."""
    reviewed = site.upload_all([b"numbers.csv"] * ROUND)
    site.work()
    names = hostile_names.names()
    uploaded = site.upload_all(names)
    with database.connect() as connection:
        rows = connection.execute(sa.select(tables.jobs.c.public_id, tables.jobs.c.file_name))
        kept = {str(public_id): name for public_id, name in rows}
    files = [(stem, kept[job]) for stem, job in zip(names.values(), uploaded, strict=True)]
    for start in range(0, len(files), ROUND):
        part = files[start : start + ROUND]
        jobs = reviewed[: len(part)]
        named_files.rename(database, {job: name for job, (_, name) in zip(jobs, part, strict=True)})
        headers = save_by_curl(site, jobs, tmp_path / f"curl {start}")
        for job, header, (stem, name) in zip(jobs, headers, part, strict=True):
            saved = name_in(header)
            assert saved.endswith("-review-all.csv"), name
            assert stem is None or saved == f"{stem}-review-all.csv", name
            answer = site.portal.get(f"/jobs/{job}/report.csv")
            assert (answer.status_code, answer.headers["Content-Disposition"]) == (200, header), name
            report = tmp_path / f"{start} {job}.csv"
            done = cli_runner.run("report", job, "--out", str(report), **site.environment)
            assert done.exit_code == Exit.OK, done.output
            assert report.stat().st_size > len(named_files.CONTENT)


def save_by_curl(site: Site, jobs: list[str], folder: Path) -> list[str]:
    """Have curl save reports, each in a folder of its own, under the plain name in its header; return the headers.

    curl does not know `filename*`.
    """
    words: list[str] = []
    for job in jobs:
        inner = folder / job / "inner"
        inner.mkdir(parents=True)
        words += ["--next", "--silent", "--show-error", "--fail", "--noproxy", "*", "-OJ", "--output-dir", str(inner)]
        words += ["--dump-header", str(folder / f"{job}.txt"), "--header", f"Authorization: Bearer {site.token}"]
        words.append(f"{site.url}/v1/jobs/{job}/report.csv")
    done = subprocess.run(["curl", *words[1:]], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    headers = []
    for job in jobs:
        text = (folder / f"{job}.txt").read_text(encoding="ascii")
        found = re.search(r"^Content-Disposition: (.*)$", text, re.IGNORECASE | re.MULTILINE)
        assert found is not None
        header = found[1].strip()
        plain = re.match(r'attachment; filename="([^"]*)"', header)
        assert plain is not None
        assert_can_be_saved(plain[1])
        saved = [path for path in (folder / job).rglob("*") if path.is_file()]
        assert [path.relative_to(folder / job).as_posix() for path in saved] == [f"inner/{plain[1]}"], header
        assert saved[0].stat().st_size > len(named_files.CONTENT)
        headers.append(header)
    return headers


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


@pytest.mark.long
def test_the_command_line_writes_only_where_it_is_told(site: Site, tmp_path: Path) -> None:
    """It takes no name from the server; files of its own may have any name, also one that is not UTF-8."""
    folder = tmp_path / "reports"
    folder.mkdir()
    for place, name in enumerate((b"../../evil.csv", b"\xff\xfe.csv", "電話 \x1b[31m.csv".encode(), b"..\\x.csv")):
        upload = folder / os.fsdecode(name.replace(b"/", b"_"))
        upload.write_bytes(named_files.CONTENT)
        told(cli_runner.run("upload", str(upload), "--json", **site.environment))
        upload.unlink()
        job = site.upload(name) if b"\xff" not in name else site.upload("\ufffd.csv".encode())
        site.work()
        out = folder / f"report {place}.csv"
        done = cli_runner.run("report", job, "--out", str(out), **site.environment)
        assert done.exit_code == Exit.OK, done.output
        assert "\x1b" not in done.output
    assert {path.name for path in folder.rglob("*")} == {f"report {place}.csv" for place in range(4)}
    kept = [job["file"]["name"] for job in site.api.get("/v1/jobs").json()["data"]]
    assert "\ufffd\ufffd.csv" in kept
