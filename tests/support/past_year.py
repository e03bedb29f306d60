"""A year of the service as rows of all tables that grow: written by SQL, the times spread evenly until now."""

from __future__ import annotations

import sqlalchemy as sa

from schemas.mails import MailEvent

NUMBERS_PER_JOB = 20
DAYS = 365

# All expired files are removed, but for the reports of the `late` latest jobs.
_ROWS = """
    CREATE TEMPORARY TABLE past ON COMMIT DROP AS
        SELECT n, now() - make_interval(secs => :days * 86400.0 * (1 - n::float / :jobs)) AS at
        FROM generate_series(0, :jobs - 1) AS n;
    CREATE TEMPORARY TABLE past_jobs ON COMMIT DROP AS SELECT 0::bigint AS id, 0 AS n, now() AS at WITH NO DATA;
    WITH made AS (
        INSERT INTO jobs (tenant_id, kind, status, options, created_by, created_at, started_at, finished_at, file_name,
            file_size, file_sha256, file_facts, rows_total, rows_done, read_token, check_token, tally, keeps_chunks,
            keeps_upload, keeps_report)
        SELECT :tenant_id, 'upload', 'completed', '{}', 'token', at - interval '1 minute', at, at, 'numbers.csv',
            4000, sha256(n::text::bytea), '{"format": "csv"}', 20, 20, n, n,
            '{"results": [["created", "CREATED", 20, 2]]}',
            at > now() - interval '1 day', at > now() - interval '30 days',
            at > now() - interval '90 days' OR n >= :jobs * (1 - 90.0 / :days) - :late
        FROM past ORDER BY n RETURNING id, created_at)
    INSERT INTO past_jobs SELECT made.id, row_number() OVER (ORDER BY made.id) - 1, made.created_at FROM made;
    UPDATE past_jobs SET at = past.at FROM past WHERE past.n = past_jobs.n;
    INSERT INTO job_chunks (job_id, phase, number, state, rows)
        SELECT id, phase, 0, 'done', 20 FROM past_jobs JOIN jobs USING (id),
            unnest(ARRAY['check', 'write', 'report', 'callback']) AS phase
        WHERE keeps_report OR phase = 'callback';
    INSERT INTO job_chunks (job_id, phase, number, state) SELECT id, 'mail', :mail_number, 'done' FROM past_jobs;
    INSERT INTO callbacks (job_id, tenant_id, url, created_at, delivered_at)
        SELECT id, :tenant_id, 'https://example.com/' || n, at, at FROM past_jobs;
    INSERT INTO callback_deliveries (job_id, at, attempt, result, status, duration_ms)
        SELECT id, at, attempt, 'delivered', 200, 5 FROM past_jobs, generate_series(1, 2) AS attempt;
    INSERT INTO mails (job_id, event, tenant_id, admin_id, created_at, counted_at, ended_at, result)
        SELECT id, 'finished', :tenant_id, 1, at, at, at, 'sent' FROM past_jobs;
    INSERT INTO number_events (e164, job_id)
        SELECT 12120000000 + place, id FROM past_jobs, generate_series(1, :numbers) AS place ORDER BY id;
    WITH changed AS (
        INSERT INTO number_changes (at, job_id, paths, content)
        SELECT at, id, '{}', sha256(n::text::bytea) FROM past_jobs ORDER BY id RETURNING id)
    INSERT INTO number_change_positions (tenant_id, position, change_id)
        SELECT tenant, row_number() OVER (PARTITION BY tenant ORDER BY id), id
        FROM changed, unnest(ARRAY[:tenant_id, :parent_id, 2000000000]) AS tenant;
    WITH hook AS (
        INSERT INTO webhooks (tenant_id, url, events, wants_numbers, secret, created_by)
        VALUES (:tenant_id, 'https://example.com', ARRAY['job.*'], false, sha256('x'), 'token') RETURNING id),
    sent AS (
        INSERT INTO webhook_messages (webhook_id, kind, job_id, state, created_at, ended_at)
        SELECT hook.id, 'job', past_jobs.id, 'delivered', at, at FROM past_jobs, hook RETURNING id, ended_at)
    INSERT INTO webhook_deliveries (message_id, at, attempt, result, duration_ms)
        SELECT id, ended_at, 1, 'delivered', 5 FROM sent;
    INSERT INTO counted_days (day, is_complete)
        SELECT (timezone('UTC', now()))::date - ago, true FROM generate_series(1, :days) AS ago;
    INSERT INTO daily_holdings (day, holder_id, country, voice, sms, fax, numbers)
        SELECT day, :tenant_id, 'US', true, false, false, place FROM counted_days, generate_series(1, 50) AS place;
    INSERT INTO tokens (tenant_id, name, hash, created_at, expires_at)
        SELECT :tenant_id, 'token', sha256(n::text::bytea), at - interval '1 day', at FROM past;
    INSERT INTO idempotency_keys (tenant_id, key, claim, until) SELECT :tenant_id, n::text, n, at FROM past;
    INSERT INTO sign_in_attempts (email_hash, source_hash, count, last_at)
        SELECT sha256(n::text::bytea), '', 1, at FROM past;
    WITH admin AS (
        INSERT INTO admins (tenant_id, email, password_hash) VALUES (:tenant_id, 'past@example.com', 'x') RETURNING id),
    begun AS (
        INSERT INTO sessions (hash, admin_id, created_at, last_seen_at, expires_at)
        SELECT sha256(n::text::bytea), admin.id, at, at, at + interval '7 days' FROM past, admin
        RETURNING id, created_at)
    INSERT INTO pasted_lists (session_id, created_at, numbers, failures)
        SELECT id, created_at, ARRAY[12120000001], '[]' FROM begun;
    INSERT INTO processes (id, kind, host, pid, release, schema_version, started_at, seen_at)
        SELECT gen_random_uuid(), 'worker', 'host', n, '0', '0', at, at FROM past WHERE n % 50 = 0"""


def write(connection: sa.Connection, tenant_id: int, parent_id: int, jobs: int, late: int) -> None:
    """Write the rows of so many jobs of a tenant; `late`: how many have expired reports that are not removed yet."""
    values = {
        "days": DAYS,
        "numbers": NUMBERS_PER_JOB,
        "tenant_id": tenant_id,
        "parent_id": parent_id,
        "jobs": jobs,
        "late": late,
        "mail_number": MailEvent.FINISHED.number,
    }
    for statement in _ROWS.split(";\n"):
        used = sa.text(statement.replace("::", "\\:\\:"))
        connection.execute(used, {name: value for name, value in values.items() if f":{name}" in statement})
