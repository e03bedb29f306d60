"""The twin: the same files in the same order, in one process, on a database of its own, with nothing going wrong.

What it comes to is what the service under attack must come to, byte for byte.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskClient

from schemas.jobs import Phase
from tests.kept import forget
from webhook.app import create_app
from worker import pipeline
from worker.infra import demo, migrate
from worker.infra.settings import get_settings

# Everything of a number that anybody can see, by names: the two databases need not have the same inner keys.
INVENTORY = """
SELECT n.e164, holder.name AS holder, uploader.name AS uploader, n.voice, n.sms, n.fax, n.country,
       voice_carrier.name AS voice_carrier, sms_carrier.name AS sms_carrier, n.voice_forwarded,
       voice_user.email AS voice_user, sms_user.email AS sms_user
FROM phone_numbers n
JOIN tenants holder ON holder.id = n.holder_id
JOIN tenants uploader ON uploader.id = n.uploader_id
LEFT JOIN carriers voice_carrier ON voice_carrier.id = n.voice_carrier_id
LEFT JOIN carriers sms_carrier ON sms_carrier.id = n.sms_carrier_id
LEFT JOIN users voice_user ON voice_user.id = n.voice_user_id
LEFT JOIN users sms_user ON sms_user.id = n.sms_user_id
"""


class Twin:
    """An undisturbed Numberyard, for as long as the `with` block."""

    def __init__(self, server: sa.URL, folder: Path, settings: Mapping[str, object]) -> None:
        self.url = server.set(database="twin")
        self._folder = folder
        self._settings = dict(settings)
        self._tokens: dict[str, str] = {}

    def start(self) -> None:
        """Make its database and its tenants."""
        engine = sa.create_engine(self.url.set(database="numberyard"), poolclass=sa.NullPool)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("CREATE DATABASE twin"))
        with self._here():
            migrate.upgrade(get_settings())
            accounts = demo.seed(get_settings(), self._folder)
        self._tokens = {account["name"]: account["token"] for account in accounts}

    def report(self, account: str, path: str, fields: Mapping[str, Any], content: bytes | None) -> bytes:
        """Send the same request, do all the work, and answer the job's report as CSV."""
        with self._here():
            client = create_app().test_client()
            headers = {"Authorization": f"Bearer {self._tokens[account]}"}
            job_id = self._post(client, path, headers, fields, content)
            while any([pipeline.run(phase) for phase in Phase]):  # noqa: C419 - a list: every phase has its turn
                pass
            report = client.get(f"/v1/jobs/{job_id}/report.csv", headers=headers)
            assert report.status_code == 200, report.get_data(as_text=True)
            return bytes(report.data)

    @staticmethod
    def _post(
        client: FlaskClient, path: str, headers: dict[str, str], fields: Mapping[str, Any], content: bytes | None
    ) -> str:
        if content is None:
            answer = client.post(path, json=dict(fields), headers=headers)
        else:
            form = {**fields, "file": (io.BytesIO(content), "numbers.csv")}
            answer = client.post(path, data=form, headers=headers)
        assert answer.status_code == 202, answer.get_data(as_text=True)
        return str(answer.json["id"])

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


def _environment(values: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("NUMBERYARD_")]:
        del os.environ[name]
    os.environ.update(values)
    forget()


def digest(connection: sa.Connection) -> tuple[int, str]:
    """How many numbers a database has, and a digest of all that can be seen of them."""
    query = f"SELECT count(*), md5(coalesce(string_agg(i::text, E'\\n' ORDER BY i.e164), '')) FROM ({INVENTORY}) i"  # noqa: S608
    count, found = connection.execute(sa.text(query)).one()
    return int(count), str(found)
