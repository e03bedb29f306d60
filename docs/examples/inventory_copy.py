"""Keeps a copy of the inventory in a SQLite database: one export, then the changes. Needs only Python.

    NUMBERYARD_URL=https://numbers.example NUMBERYARD_TOKEN=nyk_... python inventory_copy.py copy.sqlite

Stop it at any time: the copy and the cursor are written in one transaction, so it continues where it was. `--once` ends
as soon as nothing is new, for a schedule.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPResponse
from typing import Any

Json = dict[str, Any]

TABLES = """
    CREATE TABLE IF NOT EXISTS numbers (e164 TEXT PRIMARY KEY, number TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS followed (cursor TEXT NOT NULL);
"""
STATE = (
    "country",
    "voice",
    "sms",
    "fax",
    "voice_carrier",
    "sms_carrier_profile",
    "status",
    "tenant",
    "uploaded_by",
    "voice_user",
    "sms_user",
    "is_external",
)
BUSY = {429, 502, 503, 504}
WAIT = 10  # seconds that the service waits for a change
LONGEST_PAUSE = 60.0  # seconds, while it does not respond


class ExpiredError(Exception):
    """Changes after the cursor are no longer kept."""


class Copy:
    """The copy in the database `path` of what the token's tenant sees."""

    def __init__(self, path: str, url: str, token: str) -> None:
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.executescript(TABLES)
        self.url, self.token = url.rstrip("/"), token

    def follow(self, *, once: bool) -> None:
        """Bring the copy up to date and keep it so."""
        while True:
            cursor = self.cursor()
            if cursor is None:
                self.load()
                continue
            try:
                page = self.changes(cursor, 0 if once else WAIT)
            except ExpiredError:
                self.load()
                continue
            self.apply(page)
            if once and not page["data"]:
                return

    def cursor(self) -> str | None:
        row = self.database.execute("SELECT cursor FROM followed").fetchone()
        return None if row is None else row[0]

    def load(self) -> None:
        """Replace the copy by an export, which names the cursor that it was taken at."""
        with self.request("/v1/numbers.jsonl") as lines:
            self.database.execute("BEGIN IMMEDIATE")
            try:
                self.database.execute("DELETE FROM numbers")
                self.database.executemany(
                    "INSERT INTO numbers VALUES (?, ?)", (self.row(json.loads(line)) for line in lines)
                )
                self.keep(lines.headers["Changes-Cursor"])
            except BaseException:
                self.database.execute("ROLLBACK")
                raise

    def apply(self, page: Json) -> None:
        """Take over the changes of a page and its cursor, all or nothing."""
        self.database.execute("BEGIN IMMEDIATE")
        for change in page["data"]:
            if change["type"] in {"number.deleted", "number.gone"}:
                self.database.execute("DELETE FROM numbers WHERE e164 = ?", (change["e164"],))
            else:
                self.database.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", self.row(change))
        self.keep(page["next_cursor"])

    def keep(self, cursor: str) -> None:
        self.database.execute("DELETE FROM followed")
        self.database.execute("INSERT INTO followed VALUES (?)", (cursor,))
        self.database.execute("COMMIT")

    @staticmethod
    def row(number: Json) -> tuple[str, str]:
        return number["e164"], json.dumps({name: number[name] for name in STATE})

    def changes(self, after: str, wait: int) -> Json:
        """Ask for changes, again if the service does not respond or is busy. Asking twice does no harm."""
        pause = 1.0
        while True:
            try:
                with self.request(f"/v1/changes?after={after}&limit=1000&wait={wait}") as answer:
                    page: Json = json.load(answer)
                    return page
            except urllib.error.HTTPError as error:
                if error.code == HTTPStatus.GONE:
                    raise ExpiredError from None
                if error.code not in BUSY:
                    raise
                pause = float(error.headers.get("Retry-After") or pause)
            except OSError:
                pause = min(pause * 2, LONGEST_PAUSE)
            time.sleep(pause)

    def request(self, path: str) -> HTTPResponse:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=60)
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(description="Keep a copy of the inventory in a SQLite database.")
    parser.add_argument("database")
    parser.add_argument("--once", action="store_true", help="end as soon as nothing is new")
    options = parser.parse_args()
    Copy(options.database, os.environ["NUMBERYARD_URL"], os.environ["NUMBERYARD_TOKEN"]).follow(once=options.once)


if __name__ == "__main__":
    main()
