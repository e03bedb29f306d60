"""Uploads of files with any name, and what a download's name must be."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import sqlalchemy as sa

from schemas.database import tables
from tests.support.files import sheets

CONTENT = sheets.csv_bytes([sheets.HEADER, ["1", "2125550142", "TRUE", "FALSE", "FALSE"], ["1", "212", "", "", ""]])


def upload(api: httpx.Client, name: bytes, **fields: str) -> str:
    """Upload a file whose part has this name, byte for byte; return the job's id."""
    parts = [
        b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (field.encode(), value.encode())
        for field, value in fields.items()
    ]
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n' % name
    content = b"".join([*parts, head, CONTENT, b"\r\n--b--\r\n"])
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = api.post("/v1/uploads", content=content, headers=headers)
    assert answer.status_code == 202, f"{name!r}: {answer.text}"
    return str(answer.json()["id"])


def rename(database: sa.Engine, names: Mapping[str, str]) -> None:
    """Give the files of jobs other names: it takes less time than carrying out a job for each name."""
    with database.begin() as connection:
        for job, name in names.items():
            connection.execute(tables.jobs.update().where(tables.jobs.c.public_id == job).values(file_name=name))
