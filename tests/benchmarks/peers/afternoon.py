"""The import that a good developer writes in an afternoon: pandas, `phonenumbers` row by row, `to_sql`.

Run in an environment of its own: `python -m tests.benchmarks.peers.afternoon FILE TABLE`, the database's address in
`PEER_DATABASE_URL`. Prints JSON. The time begins when all modules are loaded and ends with the commit. `to_sql` has its
turn in both ways, each into an empty table, and the faster counts.
"""

from __future__ import annotations

import json
import os
import sys
from time import perf_counter
from typing import Literal

import pandas as pd
import sqlalchemy as sa

from tests.benchmarks.peers.cells import e164_of, is_true

Method = Literal["multi"] | None
# Rows a statement: with "multi" each has ten parameters of 65,535.
WAYS: dict[str, tuple[Method, int]] = {"default": (None, 10_000), "multi": ("multi", 1000)}
FLAGS = ("voice", "sms", "fax")
WHAT_JOBS_KNOW = {"created_job_id": 1, "changed_job_id": 1, "holder_id": 1, "uploader_id": 1}


def numbers(path: str) -> pd.DataFrame:
    """The rows to be written: the valid ones, each number once."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.columns = pd.Index(["country", "number", *FLAGS])
    frame["e164"] = [e164_of(*cells) for cells in zip(frame["country"], frame["number"], strict=True)]
    frame = frame.dropna(subset=["e164"]).drop_duplicates("e164").drop(columns="number")
    for flag in FLAGS:
        frame[flag] = frame[flag].map(is_true)
    return frame.astype({"e164": "int64"}).assign(**WHAT_JOBS_KNOW)


def main() -> None:
    path, table = sys.argv[1:]
    url = sa.make_url(os.environ["PEER_DATABASE_URL"]).set(drivername="postgresql+psycopg2")
    engine = sa.create_engine(url)
    began = perf_counter()
    frame = numbers(path)
    prepared = perf_counter() - began
    stored = {}
    for way, (method, size) in WAYS.items():
        with engine.begin() as connection:
            connection.execute(sa.text(f"TRUNCATE {table}"))
        began = perf_counter()
        frame.to_sql(table, engine, if_exists="append", index=False, method=method, chunksize=size)
        stored[way] = perf_counter() - began
    way = min(stored, key=lambda one: stored[one])
    print(json.dumps({"seconds": prepared + stored[way], "written": len(frame), "way": f"to_sql: {way}"}))


if __name__ == "__main__":
    main()
