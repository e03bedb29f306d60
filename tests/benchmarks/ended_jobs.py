"""A year of small jobs that have ended, with the rows that the service keeps of them, spread over all tenants.

Work items are kept as long as the report (90 days), changes of numbers for 30 days. By SQL, in a database that
`inventories` has filled.
"""

from __future__ import annotations

import json

import psycopg
import sqlalchemy as sa

from schemas import request_problems
from schemas.codes import Code, Outcome
from schemas.jobs import Seen, Tally
from tests.benchmarks import changes
from tests.benchmarks.inventories import Stocked, without_indexes
from worker.numbers import changes as recorded_changes

ROWS, FAILED = 20, 3  # rows of each job, and of them those that some have failed
# The golden ratio: its multiples spread jobs over the tenants; the cube gives the first tenants most of them.
_JOBS = """
    INSERT INTO jobs (tenant_id, kind, status, options, created_by, created_at, started_at, finished_at, file_name,
        file_size, file_sha256, file_facts, rows_total, rows_done, counted_rows, read_token, check_token, tally,
        problem, keeps_chunks, keeps_upload, keeps_report)
    SELECT tenants.ids[1 + floor(cardinality(tenants.ids) * power(fraction - floor(fraction), 3))::int],
        CASE WHEN is_upload THEN 'upload' ELSE 'assign' END, status, '{}', 'Person ' || n %% 50,
        at - interval '1 minute', at - interval '50 seconds', at,
        CASE WHEN is_upload THEN 'numbers-' || n || '.csv' END, CASE WHEN is_upload THEN 4000 END,
        CASE WHEN is_upload THEN sha256(n::text::bytea) END,
        CASE WHEN is_upload THEN '{"format": "csv"}' ELSE '{}' END::jsonb, %(rows)s,
        CASE WHEN status LIKE 'completed%%' THEN %(rows)s ELSE 0 END, %(rows)s, 1, 1,
        CASE WHEN status = 'completed' THEN %(written)s WHEN n %% 10007 = 95 THEN %(rare)s
            WHEN status = 'completed_with_errors' THEN %(usual)s END::jsonb,
        CASE WHEN status = 'failed' THEN %(problem)s END::jsonb,
        at > now() - interval '1 day', at > now() - interval '30 days', at > now() - interval '90 days'
    FROM (
        SELECT n, n * 0.6180339887498949::float8 AS fraction, n %% 7 < 5 AS is_upload,
            now() - interval '365 days' * (1 - n::float8 / %(jobs)s) AS at,
            CASE WHEN n %% 100 < 75 THEN 'completed' WHEN n %% 100 < 96 THEN 'completed_with_errors'
                WHEN n %% 100 < 99 THEN 'failed' ELSE 'cancelled' END AS status
        FROM generate_series(0, %(jobs)s - 1) AS n) AS past,
        (SELECT array_agg(id ORDER BY id) AS ids FROM tenants) AS tenants
    ORDER BY n"""
_ITEMS = """
    INSERT INTO job_chunks (job_id, phase, number, state, lease_token, attempt, rows, tally, claimed_at, ended_at,
        seconds)
    SELECT id, phase, 0, 'done', 1, 1, rows_total, CASE WHEN phase = 'write' THEN tally END, started_at, finished_at,
        '{}'
    FROM jobs, unnest(ARRAY['check', 'write', 'report', 'render']) AS phase
    WHERE keeps_report AND status LIKE 'completed%' ORDER BY id"""
_EVENTS = """
    INSERT INTO number_events (e164, job_id)
    SELECT 12120000000 + place, id FROM jobs, generate_series(id * 3, id * 3 + 2) AS place
    WHERE status LIKE 'completed%' ORDER BY id"""
# The change that there is, once more for each job.
_CHANGES = """
    INSERT INTO number_changes (at, job_id, paths, content)
    SELECT finished_at, jobs.id, recorded.paths, recorded.content FROM jobs, number_changes AS recorded
    WHERE finished_at > now() - interval '30 days' ORDER BY jobs.id"""
_POSITIONS = """
    INSERT INTO number_change_positions (tenant_id, position, change_id)
    SELECT recorded.tenant_id, row_number() OVER (PARTITION BY recorded.tenant_id ORDER BY number_changes.id) + 1,
        number_changes.id
    FROM number_changes, number_change_positions AS recorded WHERE recorded.change_id < number_changes.id"""


def fill(connection: psycopg.Connection, database: sa.Engine, tree: Stocked, jobs: int) -> None:
    """Add so many jobs, the oldest a year ago; autocommit. Changes are of the first reseller's first enterprise."""
    with without_indexes(connection, "jobs"):
        connection.execute(_JOBS.encode(), {"rows": ROWS, "jobs": jobs, **_results()})
    with without_indexes(connection, "job_chunks"):
        connection.execute(_ITEMS.encode())
    connection.execute(_EVENTS.encode())
    with database.begin() as recording:
        holder = tree.enterprises[tree.resellers[0]][0]
        recorded_changes.record(recording, 0, changes.created(0, ROWS, holder))
    for statement in (_CHANGES, _POSITIONS):
        connection.execute(statement.encode())
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")


def _results() -> dict[str, str]:
    """Return the tallies of the jobs, and the problem of those that failed, as JSON."""
    written = (Outcome.CREATED, Code.CREATED)
    most = {written: Seen(ROWS - FAILED, 2)}
    results = {
        "written": Tally({written: Seen(ROWS, 2)}).to_json(),
        "usual": Tally(most | {(Outcome.FAILED, Code.TOO_SHORT): Seen(FAILED, 9)}).to_json(),
        "rare": Tally(most | {(Outcome.FAILED, Code.TOO_LONG): Seen(FAILED, 9)}).to_json(),
        "problem": request_problems.of_file(Code.MISSING_COLUMN),
    }
    return {name: json.dumps(value) for name, value in results.items()}
