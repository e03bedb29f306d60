"""The tables, as SQLAlchemy Core. Only shapes: no engine, no session, no query lives here.

Inner keys are small integers (a number row holds several of them); what leaves the house is a `public_id`, which
tells nobody how many tenants or jobs there are (R3).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# One sequence for every lease of every piece of work: a token issued later is always greater (fencing).
lease_tokens = sa.Sequence("lease_tokens", metadata=metadata, data_type=sa.BigInteger)


def _key(kind: type[sa.Integer] = sa.Integer) -> sa.Column[int]:
    return sa.Column("id", kind, sa.Identity(always=True), primary_key=True)


def _public_id() -> sa.Column[object]:
    return sa.Column(
        "public_id", UUID(as_uuid=False), nullable=False, unique=True, server_default=sa.func.gen_random_uuid()
    )


def _now(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True))


tenants = sa.Table(
    "tenants",
    metadata,
    _key(),
    _public_id(),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("tenants.id")),
    # From the root down to the tenant itself: "is below" is one containment test (R1).
    sa.Column("path", ARRAY(sa.Integer), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("allow_external_numbers", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("default_voice_carrier_id", sa.Integer, sa.ForeignKey("carriers.id", use_alter=True)),
    sa.Column("default_sms_carrier_id", sa.Integer, sa.ForeignKey("carriers.id", use_alter=True)),
    _now("created_at"),
    sa.CheckConstraint("kind IN ('master_reseller', 'reseller', 'enterprise')", name="kind"),
    sa.CheckConstraint("(kind = 'master_reseller') = (parent_id IS NULL)", name="one_root"),
    sa.Index("ix_tenants_path", "path", postgresql_using="gin"),
)
sa.Index("uq_tenants_parent_name", tenants.c.parent_id, sa.func.lower(tenants.c.name), unique=True)
# One tree: two operators who begin at the same moment must not make two roots (R1).
sa.Index("uq_tenants_root", tenants.c.kind, unique=True, postgresql_where=tenants.c.parent_id.is_(None))

carriers = sa.Table(
    "carriers",
    metadata,
    _key(),
    _public_id(),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    _now("created_at"),
    sa.CheckConstraint("service IN ('voice', 'sms')", name="service"),
)
sa.Index("uq_carriers_name", carriers.c.tenant_id, carriers.c.service, sa.func.lower(carriers.c.name), unique=True)

admins = sa.Table(
    "admins",
    metadata,
    _key(),
    _public_id(),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), nullable=False),
    # Folded (`worker.accounts.admins.folded`): it is what one signs in with.
    sa.Column("email", sa.Text, nullable=False, unique=True),
    sa.Column("password_hash", sa.Text, nullable=False),
    # Somebody else has seen the password: until then it is good for choosing another one, and for nothing else.
    _time("one_time_until"),
    _now("created_at"),
    _time("signed_in_at"),
    sa.Index("ix_admins_tenant_id", "tenant_id", "id"),
)

# Browsers that are signed in.
sessions = sa.Table(
    "sessions",
    metadata,
    _key(sa.BigInteger),
    # SHA-256 of the 256-bit random secret in the browser's cookie; as with tokens there is nothing to guess.
    sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("admin_id", sa.Integer, sa.ForeignKey("admins.id", ondelete="CASCADE"), nullable=False),
    _now("created_at"),
    _now("last_seen_at"),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    # Confirmations that the next page shows (R30); null where there are none.
    sa.Column("notices", JSONB(none_as_null=True)),
    sa.Index("ix_sessions_admin_id", "admin_id"),
)

# Who was tried to be signed in as, and failed: by the SHA-256 of the folded e-mail address, whether it has an account
# or not, so that the answers do not tell (R3).
sign_in_failures = sa.Table(
    "sign_in_failures",
    metadata,
    sa.Column("email_hash", sa.LargeBinary, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    _now("last_at"),
    _time("locked_until"),
    sa.Index("ix_sign_in_failures_last_at", "last_at"),
)

tokens = sa.Table(
    "tokens",
    metadata,
    _key(),
    _public_id(),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    # SHA-256 of a 256-bit random token: nothing to guess, so a slow hash would only slow the door.
    sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
    _now("created_at"),
    _time("expires_at"),
    _time("revoked_at"),
)

users = sa.Table(
    "users",
    metadata,
    _key(),
    _public_id(),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("sms_enabled", sa.Boolean, nullable=False, server_default=sa.false()),
    # Only users from before extensions were given up have one (R22).
    sa.Column("extension", sa.Text),
    _now("created_at"),
    sa.CheckConstraint("kind IN ('pbx', 'trunk')", name="kind"),
    sa.Index("ix_users_tenant_id", "tenant_id", "id"),
)
# Within the enterprise only: "taken" elsewhere would tell of others' users (R3).
sa.Index("uq_users_email", users.c.tenant_id, sa.func.lower(users.c.email), unique=True)
# How a name or an address begins, over all tenants.
for _column in (users.c.name, users.c.email):
    sa.Index(
        f"ix_users_{_column.name}",
        sa.func.lower(_column).label("folded"),
        postgresql_ops={"folded": "text_pattern_ops"},
    )

# `permissions.is_assigned`, for the database; as text, because an index serves only what is worded as it is.
# "IS TRUE": of a plain equality the planner makes two others, in which it does not find this one again.
UNASSIGNED = "(holder_id = uploader_id) IS TRUE AND voice_user_id IS NULL AND sms_user_id IS NULL"
ASSIGNED = "holder_id <> uploader_id OR voice_user_id IS NOT NULL OR sms_user_id IS NOT NULL"


def _kind(is_unassigned: str) -> str:
    """What numbers of one holder and one kind have in common, in one bigint, from columns of these names.

    Short, because every number of an import pays for each byte and each sign of it. So it is a hash where ids are
    large: the holder and the flags in the lowest four bits are always right, uploader and carriers are to be compared.
    The holder is no column of its own in the index, or the planner takes it for what has nothing to do with kinds.
    """
    ids = "((uploader_id << 28) # (coalesce(voice_carrier_id, 0) << 16)) # (coalesce(sms_carrier_id, 0) << 4)"
    kind = f"(((({ids}) # (voice::int << 3)) # (sms::int << 2)) # (fax::int << 1)) # ({is_unassigned})::int"
    return f"(holder_id::bigint << 32) # ({kind})"


KIND = _kind(UNASSIGNED)
KIND_OF_HOLDING = _kind("is_unassigned")
_BESIDE = ["voice_carrier_id", "sms_carrier_id", "voice", "sms", "fax"]

phone_numbers = sa.Table(
    "phone_numbers",
    metadata,
    # E.164 without the plus: at most 15 digits, so it fits, and it is the identity on the platform (R6).
    sa.Column("e164", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("created_job_id", sa.BigInteger, nullable=False),
    # The number's stamp: which job brought it into the state it is in. A job changes a number once, so number and
    # stamp name one state; undo puts the old stamp back with the old state (R27).
    sa.Column("changed_job_id", sa.BigInteger, nullable=False),
    # No foreign keys here: a check per row and key would double the cost of a large write. The writer locks each
    # distinct tenant and carrier once per chunk instead (FOR KEY SHARE), which is what the checks would do per row.
    sa.Column("holder_id", sa.Integer, nullable=False),
    sa.Column("uploader_id", sa.Integer, nullable=False),
    sa.Column("voice_carrier_id", sa.Integer),
    sa.Column("sms_carrier_id", sa.Integer),
    sa.Column("voice", sa.Boolean, nullable=False),
    sa.Column("sms", sa.Boolean, nullable=False),
    sa.Column("fax", sa.Boolean, nullable=False),
    sa.Column("country", sa.Text, nullable=False),
    # The user who has it for voice (a PBX user's number, a trunk's default or, if forwarded, one of its others) and the
    # one who has it for SMS (R2, R20).
    sa.Column("voice_user_id", sa.Integer),
    sa.Column("sms_user_id", sa.Integer),
    sa.Column("voice_forwarded", sa.Boolean, nullable=False, server_default=sa.false()),
    # What a holder's numbers are looked for by, ascending, in one half or the other (`worker.numbers.search`): a
    # number stands in one of the two, so both cost what one index by holder would. With the columns beside them, a
    # filter that lets few of a tree's numbers through reads no row.
    sa.Index(
        "ix_phone_numbers_unassigned",
        "holder_id",
        "e164",
        postgresql_include=_BESIDE,
        postgresql_where=sa.text(UNASSIGNED),
    ),
    sa.Index(
        "ix_phone_numbers_assigned",
        "holder_id",
        "uploader_id",
        "e164",
        postgresql_include=_BESIDE,
        postgresql_where=sa.text(ASSIGNED),
    ),
    # The numbers of each kind that a holder has, ascending; which kinds it has is told by `holdings`.
    sa.Index("ix_phone_numbers_kind", sa.text(f"({KIND})"), "e164"),
    sa.Index("ix_phone_numbers_voice_user_id", "voice_user_id", postgresql_where=sa.text("voice_user_id IS NOT NULL")),
    sa.Index("ix_phone_numbers_sms_user_id", "sms_user_id", postgresql_where=sa.text("sms_user_id IS NOT NULL")),
    # No shorter limit than the numbering plans have: what is valid can be stored (R14f).
    sa.CheckConstraint("e164 > 0 AND e164 < 1000000000000000", name="e164"),
)

# Which kinds of numbers a tenant holds, or held once: a row for each, however many numbers there are. Written with the
# numbers, in one transaction, and not taken back when the last of them goes: a chunk being written may count on it.
holdings = sa.Table(
    "holdings",
    metadata,
    *(
        sa.Column(f"{name}_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True)
        for name in ("holder", "uploader")
    ),
    # 0 for none, so that equal rows are equal.
    *(sa.Column(f"{name}_carrier_id", sa.Integer, primary_key=True) for name in ("voice", "sms")),
    *(sa.Column(name, sa.Boolean, primary_key=True) for name in ("voice", "sms", "fax", "is_unassigned")),
)

# The calling codes of the numbers that a tenant, or one below it, holds or once held: numbers without a country are
# read in these (R14c). Written with the numbers, in one transaction, and kept when the last of them goes, or the tenant
# below that had them: a file that is sent twice must not be read differently the second time.
tenant_countries = sa.Table(
    "tenant_countries",
    metadata,
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("calling_code", sa.SmallInteger, primary_key=True, autoincrement=False),
)

# Which jobs changed a number after the one that created it; rows of jobs that are gone mean nothing.
number_events = sa.Table(
    "number_events",
    metadata,
    sa.Column("e164", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("job_id", sa.BigInteger, primary_key=True, autoincrement=False),
)

jobs = sa.Table(
    "jobs",
    metadata,
    _key(sa.BigInteger),
    _public_id(),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("options", JSONB, nullable=False, server_default="{}"),
    sa.Column("created_by", sa.Text, nullable=False),
    _now("created_at"),
    _time("started_at"),
    _time("finished_at"),
    # The file as it came; null where the rows are a list, a selection, or those of another job.
    sa.Column("file_name", sa.Text),
    sa.Column("file_size", sa.BigInteger),
    sa.Column("file_sha256", sa.LargeBinary),
    # What the reader decided about the file (format, encoding, delimiter, sheet, columns).
    sa.Column("file_facts", JSONB, nullable=False, server_default="{}"),
    sa.Column("rows_total", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("rows_done", sa.BigInteger, nullable=False, server_default="0"),
    # How many pieces are left of what is being worked on: batches to be validated, chunks, parts of the report.
    sa.Column("pieces_left", sa.Integer, nullable=False, server_default="0"),
    # The leases of the reading and of the check that were committed: their files are the ones that count.
    sa.Column("read_token", sa.BigInteger),
    sa.Column("check_token", sa.BigInteger),
    # What checking settled; from the end of the job on, what all of it came to.
    sa.Column("tally", JSONB),
    sa.Column("problem", JSONB),
    sa.Column("duplicate_of_id", sa.BigInteger, sa.ForeignKey("jobs.id")),
    sa.Column("undo_of_id", sa.BigInteger, sa.ForeignKey("jobs.id")),
    # The job whose failed rows this file has, mended.
    sa.Column("parent_id", sa.BigInteger, sa.ForeignKey("jobs.id")),
    # What a job under review would do (`schemas.http.resources.Review`), and until when it may be confirmed.
    sa.Column("review", JSONB),
    _time("review_until"),
    # Which of its files the job still has (`worker.jobs.file_classes.Part`).
    sa.Column("keeps_chunks", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("keeps_upload", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("keeps_report", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Index("ix_jobs_tenant_id", "tenant_id", "id"),
    sa.Index("ix_jobs_parent_id", "parent_id", postgresql_where=sa.text("parent_id IS NOT NULL")),
    # What every sweep looks for; a few rows at any time.
    sa.Index("ix_jobs_unsettled", "status", postgresql_where=sa.text("status IN ('review', 'cancelling')")),
    # The jobs that have not ended, as each scrape counts them.
    sa.Index("ix_jobs_open", "status", postgresql_where=sa.text("finished_at IS NULL")),
    # What is to be removed next: jobs leave each of these indexes once its files are gone.
    *(
        sa.Index(f"ix_jobs_{mark}", "finished_at", postgresql_where=sa.text(f"{mark} AND finished_at IS NOT NULL"))
        for mark in ("keeps_chunks", "keeps_upload", "keeps_report")
    ),
    # What undid a job: told on its page, and under way it keeps the job's files.
    sa.Index("ix_jobs_undo_of_id", "undo_of_id", postgresql_where=sa.text("undo_of_id IS NOT NULL")),
)

job_chunks = sa.Table(
    "job_chunks",
    metadata,
    sa.Column("job_id", sa.BigInteger, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("phase", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("state", sa.Text, nullable=False, server_default="pending"),
    sa.Column("lease_token", sa.BigInteger),
    _time("lease_until"),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    # Tries that failed because the database or the storage was away, which do not count, and the first of them.
    sa.Column("setbacks", sa.Integer, nullable=False, server_default="0"),
    _time("setback_since"),
    # What the last counted try failed with (exception type and SQLSTATE): the same again is no accident.
    sa.Column("last_error", sa.Text),
    _now("next_attempt_at"),
    # When the sweep sends the next wake-up, should nobody have come by then.
    _now("hint_due_at"),
    sa.Column("rows", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("result_key", sa.Text),
    # The numbers as they were before (`schemas.arrow_schemas.IMAGES`); null where nothing that existed was written.
    sa.Column("image_key", sa.Text),
    sa.Column("tally", JSONB),
    # When the try that counts was begun and ended, and the seconds of each stage in it (`schemas.jobs.Stage`).
    _time("claimed_at"),
    _time("ended_at"),
    sa.Column("seconds", JSONB),
    sa.CheckConstraint(
        "phase IN ('check', 'validate', 'cut', 'write', 'report', 'render', 'callback', 'workbook')", name="phase"
    ),
    sa.CheckConstraint("state IN ('pending', 'leased', 'done', 'dead')", name="state"),
    sa.CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name="lease"),
    sa.Index("ix_job_chunks_open", "state", "phase", postgresql_where=sa.text("state IN ('pending', 'leased')")),
)

# What has been counted since the first day, whatever retention has removed: a total is the sum of its rows. Whoever
# counts something adds a row, so that nobody waits for anybody else who counts; `worker.database.counters` folds them.
totals = sa.Table(
    "totals",
    metadata,
    _key(sa.BigInteger),
    sa.Column("name", sa.Text, nullable=False),
    # In the order of the metric's labels (`schemas.metrics`).
    sa.Column("labels", ARRAY(sa.Text), nullable=False),
    sa.Column("value", sa.Double, nullable=False),
)

# What a client named its request (`Idempotency-Key`): one row from the moment the request begins.
idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    # Whose request it is while it is under way; as with leases, only this one may finish it.
    sa.Column("claim", sa.BigInteger, nullable=False),
    # Under way until then, unless it says that it is alive; once it is finished, known until then.
    sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    # What the finished request was (SHA-256), the job that it made, and what it was answered.
    sa.Column("fingerprint", sa.LargeBinary),
    sa.Column("job", UUID(as_uuid=False)),
    sa.Column("answer", sa.Text),
    sa.CheckConstraint("(fingerprint IS NULL) = (job IS NULL)", name="finished"),
    sa.Index("ix_idempotency_keys_until", "until"),
)

# Whom to tell that a job has ended: one row per job that wants it. The sending is a piece of work (`job_chunks`).
callbacks = sa.Table(
    "callbacks",
    metadata,
    sa.Column("job_id", sa.BigInteger, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), nullable=False),
    _public_id(),
    # It may hold secrets of its receiver, so it is never logged, and nobody but the tenant sees it.
    sa.Column("url", sa.Text, nullable=False),
    _now("created_at"),
    _time("delivered_at"),
    _time("given_up_at"),
    sa.CheckConstraint("delivered_at IS NULL OR given_up_at IS NULL", name="one_end"),
    sa.Index("ix_callbacks_tenant_id", "tenant_id", "job_id"),
)

# Every try to send one, whatever came of it; what the receiver said is not kept.
callback_deliveries = sa.Table(
    "callback_deliveries",
    metadata,
    _key(sa.BigInteger),
    sa.Column("job_id", sa.BigInteger, sa.ForeignKey("callbacks.job_id", ondelete="CASCADE"), nullable=False),
    _now("at"),
    sa.Column("attempt", sa.Integer, nullable=False),
    # A word of `schemas.http.callbacks.DeliveryResult`, and the HTTP status if there was one.
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Index("ix_callback_deliveries_job_id", "job_id", "id"),
)

# What a tenant's callbacks are signed with. An HMAC wants the secret itself, so unlike tokens it cannot be kept as a
# hash: who reads this table can sign as this service, and do nothing else.
callback_secrets = sa.Table(
    "callback_secrets",
    metadata,
    _key(),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    _now("created_at"),
    # Until when it signs beside its successor; null while it has none.
    _time("until"),
    sa.CheckConstraint("length(secret) BETWEEN 24 AND 64", name="secret"),
    sa.Index("ix_callback_secrets_tenant_id", "tenant_id"),
)
sa.Index(
    "uq_callback_secrets_current",
    callback_secrets.c.tenant_id,
    unique=True,
    postgresql_where=callback_secrets.c.until.is_(None),
)
