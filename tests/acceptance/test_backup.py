"""A backup in the middle of an import, restored elsewhere by the commands of the guide (docs/guides/backup.md)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support import guides
from tests.support.api_client import table
from tests.support.servers import databases, service
from tests.support.servers.service import NUMBERYARD, wait_for

pytestmark = pytest.mark.xdist_group("service")
COUNT = 40_000
LARGE, REVIEW, DONE = (2_122_000_000 + part * COUNT for part in range(3))


def commands(heading: str) -> str:
    """The commands below a heading of the guide."""
    (found,) = guides.blocks("backup", heading)
    return found


def run(script: str, **settings: object) -> None:
    """Run commands as an operator does; `cp` may report a file that has vanished meanwhile."""
    done = guides.attempt(script, **settings)
    vanished = "No such file" in done.stderr and "cp:" in done.stderr
    assert done.returncode == 0 or vanished, done.stdout + done.stderr


def test_a_backup_of_a_running_service_is_restored_elsewhere(tmp_path: Path, database_server: sa.URL) -> None:
    backup, files = tmp_path / "backup", tmp_path / "restored/files"
    backup.mkdir()
    files.mkdir(parents=True)
    with service.running(tmp_path / "first", workers=1, rows_per_chunk=500) as first:
        client = first.client("Harbour")
        done = client.upload(service.block(100, DONE))
        assert client.ended(done)["status"] == "completed"
        review = client.upload(service.block(50, REVIEW), mode="review")
        wait_for(lambda: client.job(review)["status"] == "review", 60, "the review", 0.1)
        large = client.upload(service.block(COUNT, LARGE))

        def written() -> int:
            job = client.job(large)
            assert job["status"] not in service.ENDED, "too fast for this test"
            return int(job["progress"]["rows_done"])

        wait_for(written, 60, "the import to be under way")
        run(
            commands("Backup"),
            NUMBERYARD_DATABASE_URL=str(first.demo["database_url"]).replace("+psycopg", ""),
            FILES=first.folder / "files",
            BACKUP=backup,
        )
        demo, original = first.demo, client.ended(large)
    name = "restored"
    databases.run(database_server, f"CREATE DATABASE {name} TEMPLATE template0")
    url = database_server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    storage = f"file://{files}"
    try:
        settings = {"NUMBERYARD_DATABASE_URL": url, "NUMBERYARD_STORAGE_URL": storage}
        run(commands("Restore"), FILES=files, BACKUP=backup, **settings)
        rows = _ask(url, "SELECT count(*) FROM phone_numbers WHERE e164 >= 12122000000")
        assert 100 < rows < 100 + COUNT, "the backup was not taken in the middle of the import"
        with service.running(tmp_path / "restored", workers=1, database_url=url, storage_url=storage) as second:
            second.demo["accounts"] = demo["accounts"]
            client = second.client("Harbour")
            job = client.ended(large)
            assert (job["status"], job["counts"]) == ("completed", original["counts"])
            lines = table(client.report(large))
            assert len({line["_number"] for line in lines}) == len(lines) == COUNT
            client.http.post(f"/v1/jobs/{review}/confirm").raise_for_status()
            assert client.ended(review)["counts"]["created"] == 50
            assert len(table(client.report(done))) == 100
            verified = subprocess.run(
                [NUMBERYARD, "verify", "--json"],
                env=os.environ | settings,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert (verified.returncode, json.loads(verified.stdout)["ok"]) == (0, True), verified.stdout
        assert _ask(url, "SELECT count(*) FROM phone_numbers WHERE e164 >= 12122000000") == COUNT + 150
    finally:
        databases.run(database_server, f"DROP DATABASE {name} WITH (FORCE)")


def _ask(url: str, query: str) -> int:
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return int(connection.execute(sa.text(query)).scalar_one())
