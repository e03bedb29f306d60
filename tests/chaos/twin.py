"""The twin: the same files in the same order, in one process, on a database of its own, with nothing going wrong.

What it comes to is what the service under attack must come to, byte for byte.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg
import sqlalchemy as sa
from flask.testing import FlaskClient

from schemas.jobs import Phase
from tests.support.process_caches import forget
from webhook.app import create_app
from worker import pipeline
from worker.config.settings import get_settings
from worker.database import migrate

# Everything of a number, by names and files: the two databases need not have the same inner keys.
INVENTORY = """
SELECT n.e164, holder.name AS holder, uploader.name AS uploader, n.voice, n.sms, n.fax, n.country,
       voice_carrier.name AS voice_carrier, sms_carrier.name AS sms_carrier, n.voice_forwarded,
       voice_user.email AS voice_user, sms_user.email AS sms_user, events.count AS events,
       created.file_sha256 AS created_by, changed.file_sha256 AS changed_by
FROM phone_numbers n
LEFT JOIN (SELECT e164, count(*) FROM number_events GROUP BY e164) events USING (e164)
LEFT JOIN jobs created ON created.id = n.created_job_id
LEFT JOIN jobs changed ON changed.id = n.changed_job_id
JOIN tenants holder ON holder.id = n.holder_id
JOIN tenants uploader ON uploader.id = n.uploader_id
LEFT JOIN carriers voice_carrier ON voice_carrier.id = n.voice_carrier_id
LEFT JOIN carriers sms_carrier ON sms_carrier.id = n.sms_carrier_id
LEFT JOIN users voice_user ON voice_user.id = n.voice_user_id
LEFT JOIN users sms_user ON sms_user.id = n.sms_user_id
"""
UNTIE = """
ALTER TABLE tenants DROP CONSTRAINT fk_tenants_default_voice_carrier_id,
  DROP CONSTRAINT fk_tenants_default_sms_carrier_id
"""  # they and their carriers name each other
COPIED = ("tenants", "carriers", "admins", "tokens", "users")  # what `up --demo` has planted


class Asked(Protocol):
    """A request, as the service under attack was sent it."""

    account: str
    path: str
    fields: dict[str, Any]
    content: bytes | None


class Twin:
    """An undisturbed Numberyard, for as long as the `with` block."""

    def __init__(self, server: sa.URL, folder: Path, settings: Mapping[str, object]) -> None:
        self.url = server.set(database="twin")
        self._folder = folder
        self._settings = dict(settings)
        self._tokens: dict[str, str] = {}
        self._client: FlaskClient | None = None

    def start(self, accounts: Sequence[Mapping[str, Any]]) -> None:
        """Make its database, with the tenants of the other one and these accounts."""
        other = self.url.set(database="numberyard")
        with psycopg.connect(_address(other), autocommit=True) as connection:
            connection.execute("CREATE DATABASE twin")
        with self._here():
            migrate.upgrade(get_settings())
            self._client = create_app().test_client()
        with psycopg.connect(_address(other)) as theirs, psycopg.connect(_address(self.url)) as mine:
            mine.execute(UNTIE)
            for table in COPIED:
                _copy(theirs, mine, table)
        self._tokens = {account["name"]: account["token"] for account in accounts}

    def reports(self, asked: Sequence[Asked]) -> list[bytes]:
        """Send the same requests, do all the work, and answer the jobs' reports as CSV."""
        if not asked:
            return []
        with self._here():
            ids = [self._post(one) for one in asked]
            for phase in Phase:
                while pipeline.run(phase):
                    pass
            return [self._report(one, job_id) for one, job_id in zip(asked, ids, strict=True)]

    def _post(self, asked: Asked) -> str:
        if asked.content is None:
            answer = self._door.post(asked.path, json=dict(asked.fields), headers=self._headers(asked))
        else:
            form = {**asked.fields, "file": (io.BytesIO(asked.content), "numbers.csv")}
            answer = self._door.post(asked.path, data=form, headers=self._headers(asked))
        assert answer.status_code == 202, answer.get_data(as_text=True)
        return str(answer.json["id"])

    def _report(self, asked: Asked, job_id: str) -> bytes:
        report = self._door.get(f"/v1/jobs/{job_id}/report.csv", headers=self._headers(asked))
        assert report.status_code == 200, report.get_data(as_text=True)
        return bytes(report.data)

    @property
    def _door(self) -> FlaskClient:
        assert self._client is not None, "it was not started"
        return self._client

    def _headers(self, asked: Asked) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens[asked.account]}"}

    @contextmanager
    def _here(self) -> Iterator[None]:
        """This process is the twin's for a moment; whatever it was before, it is again behind the block."""
        before = {name: value for name, value in os.environ.items() if name.startswith("NUMBERYARD_")}
        mine = self._settings | {
            "data_dir": self._folder,
            "database_url": self.url.render_as_string(hide_password=False),
            "redis_url": "redis://127.0.0.1:1/0",  # nobody is there: the twin needs no messages
            "log_level": "CRITICAL",
        }
        _environment({f"NUMBERYARD_{name.upper()}": str(value) for name, value in mine.items()})
        try:
            yield
        finally:
            _environment(before)


def _address(url: sa.URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _copy(source: psycopg.Connection, target: psycopg.Connection, table: str) -> None:
    """Copy all rows of a table from one database to another."""
    with source.cursor() as reading, target.cursor() as writing:
        with reading.copy(f"COPY {table} TO STDOUT".encode()) as taken:
            rows = b"".join(taken)
        with writing.copy(f"COPY {table} FROM STDIN".encode()) as given:
            given.write(rows)


def _environment(values: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("NUMBERYARD_")]:
        del os.environ[name]
    os.environ.update(values)
    forget()


def digest(connection: sa.Connection) -> tuple[int, str]:
    """How many numbers a database has, and a digest of all that is known of them."""
    query = f"SELECT count(*), md5(string_agg(md5(i::text), '' ORDER BY i.e164)) FROM ({INVENTORY}) i"  # noqa: S608
    count, found = connection.execute(sa.text(query)).one()
    return int(count), str(found)
