"""The database tables, as SQLAlchemy Core. Shapes only: no engine, no session, no queries.

Internal keys are small integers (a number row holds several of them). Only a `public_id` (UUID) leaves the service; it
does not reveal how many tenants or jobs there are (R3).
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from schemas.capabilities import CAPABILITY_NAMES, CARRIER_FIELDS
from schemas.mails import MailEvent
from schemas.quotas import Quota
from schemas.roles import Role, Scope

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

WORKERS_SINCE = 34  # the oldest version of the tables that a worker may know

# One sequence for the leases of all work items: a token issued later is always greater (fencing).
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


_IS_ROLE = "role IN ('viewer', 'operator', 'admin')"


def _role() -> sa.Column[object]:
    """Return the column of a role; those from before roles existed may do everything."""
    return sa.Column("role", sa.Text, nullable=False, server_default=Role.ADMIN.value)


tenants = sa.Table(
    "tenants",
    metadata,
    _key(),
    _public_id(),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("tenants.id")),
    # Ids from the root down to the tenant itself: "is below" is one containment test (R1).
    sa.Column("path", ARRAY(sa.Integer), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("allow_external_numbers", sa.Boolean, nullable=False, server_default=sa.false()),
    # What the tenant above calls it in its billing.
    sa.Column("billing_reference", sa.Text),
    sa.Column("default_voice_carrier_id", sa.Integer, sa.ForeignKey("carriers.id", use_alter=True)),
    sa.Column("default_sms_carrier_id", sa.Integer, sa.ForeignKey("carriers.id", use_alter=True)),
    _now("created_at"),
    sa.CheckConstraint("kind IN ('master_reseller', 'reseller', 'enterprise')", name="kind"),
    sa.CheckConstraint("(kind = 'master_reseller') = (parent_id IS NULL)", name="one_root"),
    sa.Index("ix_tenants_path", "path", postgresql_using="gin"),
)
sa.Index("uq_tenants_parent_name", tenants.c.parent_id, sa.func.lower(tenants.c.name), unique=True)
# One tree: two operators who set up the service at the same moment must not create two roots (R1).
sa.Index("uq_tenants_root", tenants.c.kind, unique=True, postgresql_where=tenants.c.parent_id.is_(None))

# A tenant's own quotas (R37); null: the one of the settings, 0: no limit.
tenant_quotas = sa.Table(
    "tenant_quotas",
    metadata,
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    *(sa.Column(quota.value, sa.BigInteger) for quota in Quota),
    _now("updated_at"),
    *(sa.CheckConstraint(f"{quota} >= 0", name=quota.value) for quota in Quota),
)

# What tenants use of the quotas that are sums: rows of a day (UTC) and stored bytes. A use adds a row, in the
# transaction of what is counted, so that transactions do not wait for each other; a sum is that of its rows, which
# upkeep folds.
tenant_usage = sa.Table(
    "tenant_usage",
    metadata,
    _key(sa.BigInteger),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    sa.Column("quota", sa.Text, nullable=False),
    # 1970-01-01 for stored bytes, which are no daily sum.
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),
    sa.CheckConstraint("quota IN ('rows_per_day', 'stored_bytes')", name="quota"),
    sa.Index("ix_tenant_usage_tenant_id", "tenant_id", "quota", "day"),
)

# Files that are being received. A request that does not extend its row until `until` does not count any more. Without a
# foreign key, which would wait for a tenant that is being deleted: the insertion of the job does that.
upload_slots = sa.Table(
    "upload_slots",
    metadata,
    sa.Column("claim", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("tenant_id", sa.Integer, nullable=False),
    sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    sa.Index("ix_upload_slots_tenant_id", "tenant_id", "until"),
    sa.Index("ix_upload_slots_until", "until"),
)

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

# Import profiles (R32): a column mapping with options, for the tenant and those below it.
import_profiles = sa.Table(
    "import_profiles",
    metadata,
    _key(),
    _public_id(),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    # `ColumnMapping.to_json`, the fields of `ProfileOptions` that are set, and the file's column names, in its order.
    sa.Column("mapping", JSONB, nullable=False),
    sa.Column("options", JSONB, nullable=False),
    sa.Column("headers", JSONB, nullable=False),
    # `worker.jobs.import_profiles.signature` of the column names.
    sa.Column("signature", sa.LargeBinary, nullable=False),
    # The name of the token or account; only the tenant itself and those above see it (R3).
    sa.Column("created_by", sa.Text, nullable=False),
    _now("created_at"),
    _now("updated_at"),
    _time("last_used_at"),
)
sa.Index("uq_import_profiles_name", import_profiles.c.tenant_id, sa.func.lower(import_profiles.c.name), unique=True)

admins = sa.Table(
    "admins",
    metadata,
    _key(),
    _public_id(),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), nullable=False),
    # Folded (`worker.accounts.admins.folded`): the login name.
    sa.Column("email", sa.Text, nullable=False, unique=True),
    _role(),
    sa.Column("password_hash", sa.Text, nullable=False),
    # The expiry of a password that was created by another person. Until then, it can only be used to choose a new one.
    _time("one_time_until"),
    _now("created_at"),
    _time("signed_in_at"),
    # The events that the admin gets an e-mail for (`schemas.mails.MailEvent`).
    *(sa.Column(f"mail_{event}", sa.Boolean, nullable=False, server_default=sa.false()) for event in MailEvent),
    sa.CheckConstraint(_IS_ROLE, name="role"),
    sa.Index("ix_admins_tenant_id", "tenant_id", "id"),
)

# Browser sessions.
sessions = sa.Table(
    "sessions",
    metadata,
    _key(sa.BigInteger),
    # SHA-256 of the 256-bit random secret in the session cookie. As for `tokens`, it cannot be guessed.
    sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("admin_id", sa.Integer, sa.ForeignKey("admins.id", ondelete="CASCADE"), nullable=False),
    _now("created_at"),
    _now("last_seen_at"),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    # Flash messages for the next page (R30); null if there are none.
    sa.Column("notices", JSONB(none_as_null=True)),
    sa.Index("ix_sessions_admin_id", "admin_id"),
)

# Lists of numbers that a person pasted into the portal, for the pages that act on them. Deleted with the session.
pasted_lists = sa.Table(
    "pasted_lists",
    metadata,
    _key(sa.BigInteger),
    _public_id(),
    sa.Column("session_id", sa.BigInteger, sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    _now("created_at"),
    # E.164 without the plus, ascending; and what was not found (`worker.accounts.pasted_lists.Failure`).
    sa.Column("numbers", ARRAY(sa.BigInteger), nullable=False),
    sa.Column("failures", JSONB, nullable=False),
    sa.Index("ix_pasted_lists_session_id", "session_id", "id"),
)

# Searches of Phone Numbers that a person saved: the filter as in the page's address.
saved_searches = sa.Table(
    "saved_searches",
    metadata,
    _key(),
    _public_id(),
    sa.Column("admin_id", sa.Integer, sa.ForeignKey("admins.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("filter", JSONB, nullable=False),
    _now("created_at"),
)
sa.Index("uq_saved_searches_name", saved_searches.c.admin_id, sa.func.lower(saved_searches.c.name), unique=True)

# Attempts at signing in, by the SHA-256 of the folded e-mail address, of the network, and of both; an empty hash stands
# for all of them. Unknown addresses are counted too, so that responses do not reveal whether an account exists (R3).
sign_in_attempts = sa.Table(
    "sign_in_attempts",
    metadata,
    sa.Column("email_hash", sa.LargeBinary, primary_key=True),
    sa.Column("source_hash", sa.LargeBinary, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    _now("last_at"),
    _time("allowed_at"),
    sa.Index("ix_sign_in_attempts_last_at", "last_at"),
)

# Browsers in which a person has signed in before, by the SHA-256 of the secret in a cookie.
device_cookies = sa.Table(
    "device_cookies",
    metadata,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("admin_id", sa.Integer, sa.ForeignKey("admins.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    _now("signed_in_at"),
    sa.Index("ix_device_cookies_admin_id", "admin_id"),
    sa.Index("ix_device_cookies_signed_in_at", "signed_in_at"),
)

# The attempts that web processes of before 0040 count, during an upgrade.
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
    # SHA-256 of a 256-bit random token. It cannot be guessed, so a slow hash would only make requests slow.
    sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
    _now("created_at"),
    _time("expires_at"),
    _time("revoked_at"),
    # What it may do, and the networks (as "10.0.0.0/8") that it works from; none: every address (R35).
    _role(),
    sa.Column(
        "scopes",
        ARRAY(sa.Text),
        nullable=False,
        server_default=sa.text(f"'{{{','.join(Scope)}}}'"),
    ),
    sa.Column("networks", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")),
    # The name of the account or token that created it, with its tenant: only that tenant and those above see the name
    # (R3). Null for tokens from before roles existed, and for those of the operators' commands.
    sa.Column("created_by", sa.Text),
    sa.Column("created_by_tenant_id", sa.Integer, sa.ForeignKey("tenants.id")),
    # The token that created it; and the account whose role limits both: the one that created the first of them.
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("tokens.id")),
    sa.Column("admin_id", sa.Integer, sa.ForeignKey("admins.id")),
    # Written at most once a minute.
    _time("last_used_at"),
    sa.Column("last_used_from", sa.Text),
    sa.CheckConstraint(_IS_ROLE, name="role"),
    sa.Index("ix_tokens_parent_id", "parent_id", postgresql_where=sa.text("parent_id IS NOT NULL")),
    sa.Index("ix_tokens_admin_id", "admin_id", postgresql_where=sa.text("admin_id IS NOT NULL")),
    # Tokens that are removed next.
    sa.Index(
        "ix_tokens_ended",
        sa.text("LEAST(revoked_at, expires_at)"),
        postgresql_where=sa.text("revoked_at IS NOT NULL OR expires_at IS NOT NULL"),
    ),
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
    # Only users created before extensions were abolished have one (R22).
    sa.Column("extension", sa.Text),
    _now("created_at"),
    sa.CheckConstraint("kind IN ('pbx', 'trunk')", name="kind"),
    sa.Index("ix_users_tenant_id", "tenant_id", "id"),
)
# Unique within the enterprise only: a conflict elsewhere would reveal other tenants' users (R3).
sa.Index("uq_users_email", users.c.tenant_id, sa.func.lower(users.c.email), unique=True)
# For searches by the beginning of a name or an address, across all tenants.
for _column in (users.c.name, users.c.email):
    sa.Index(
        f"ix_users_{_column.name}",
        sa.func.lower(_column).label("folded"),
        postgresql_ops={"folded": "text_pattern_ops"},
    )

# `permissions.is_assigned` in SQL. Text, because the planner uses a partial index only if a query repeats its predicate
# exactly. "IS TRUE": the planner splits a plain equality of columns into two with a constant and then no longer matches
# the predicate.
UNASSIGNED = "(holder_id = uploader_id) IS TRUE AND voice_user_id IS NULL AND sms_user_id IS NULL"
ASSIGNED = "holder_id <> uploader_id OR voice_user_id IS NOT NULL OR sms_user_id IS NOT NULL"


def _kind(is_unassigned: str) -> str:
    """Return the SQL expression, from columns of these names, that maps a number's holder and kind to one bigint.

    It is short because an import computes and stores it for every number. So it is a hash where ids are large: holder
    and flags (the lowest bits) are always exact, uploader and carriers must be compared. The holder is not an index
    column of its own, because the planner would then take the two for statistically independent.
    """
    count = len(CAPABILITY_NAMES)
    flags = [f"({name}::int << {count - index})" for index, name in enumerate(CAPABILITY_NAMES)]
    carrier_ids = ["(coalesce(voice_carrier_id, 0) << 16)", f"(coalesce(sms_carrier_id, 0) << {count + 1})"]
    kind = "uploader_id << 28"
    for part in (*carrier_ids, *flags, f"({is_unassigned})::int"):
        kind = f"({kind}) # {part}"  # with the parentheses that PostgreSQL reports, so that Alembic finds it unchanged
    return f"(holder_id::bigint << 32) # ({kind})"


KIND = _kind(UNASSIGNED)
KIND_OF_HOLDING = _kind("is_unassigned")
_BESIDE = [*(carrier.id_name for carrier in CARRIER_FIELDS), *CAPABILITY_NAMES]

phone_numbers = sa.Table(
    "phone_numbers",
    metadata,
    # E.164 without the plus: at most 15 digits, so it fits a bigint. It identifies the number on the platform (R6).
    sa.Column("e164", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("created_job_id", sa.BigInteger, nullable=False),
    # The number's version: the job that last wrote it. A job changes a number once, so number and version identify one
    # state. Undo restores the old version with the old state (R27).
    sa.Column("changed_job_id", sa.BigInteger, nullable=False),
    # No foreign keys: a check per row and key would double the cost of a large write. Instead, the writer locks each
    # distinct tenant and carrier once per chunk (FOR KEY SHARE), as the checks would do per row.
    sa.Column("holder_id", sa.Integer, nullable=False),
    sa.Column("uploader_id", sa.Integer, nullable=False),
    *(sa.Column(carrier.id_name, sa.Integer) for carrier in CARRIER_FIELDS),
    *(sa.Column(name, sa.Boolean, nullable=False) for name in CAPABILITY_NAMES),
    sa.Column("country", sa.Text, nullable=False),
    # The user for voice (a PBX user's number, a trunk user's default or, if `voice_forwarded`, forwarded number) and
    # the user for SMS (R2, R20).
    sa.Column("voice_user_id", sa.Integer),
    sa.Column("sms_user_id", sa.Integer),
    sa.Column("voice_forwarded", sa.Boolean, nullable=False, server_default=sa.false()),
    # The undo that restored this state, if one did: its version is older than that.
    sa.Column("restored_job_id", sa.BigInteger),
    # Two partial indexes for searches of a holder's numbers, ascending (`worker.numbers.search`). Each number is in one
    # of them, so both together cost as much as one index on the holder. Thanks to the included columns, a filter that
    # matches few of a tree's numbers reads no table rows.
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
    # The numbers of one holder and kind, ascending; `holdings` lists a holder's kinds.
    sa.Index("ix_phone_numbers_kind", sa.text(f"({KIND})"), "e164"),
    sa.Index("ix_phone_numbers_voice_user_id", "voice_user_id", postgresql_where=sa.text("voice_user_id IS NOT NULL")),
    sa.Index("ix_phone_numbers_sms_user_id", "sms_user_id", postgresql_where=sa.text("sms_user_id IS NOT NULL")),
    # No shorter than the numbering plans allow: every valid number can be stored (R14f).
    sa.CheckConstraint("e164 > 0 AND e164 < 1000000000000000", name="e164"),
)

# The kinds of numbers that a tenant holds or once held: one row for each kind. Written in the same transaction as the
# numbers and never deleted with them: a chunk that is being written may rely on the row.
holdings = sa.Table(
    "holdings",
    metadata,
    *(
        sa.Column(f"{name}_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True)
        for name in ("holder", "uploader")
    ),
    # 0 for none, because NULL is not equal to NULL.
    *(sa.Column(carrier.id_name, sa.Integer, primary_key=True) for carrier in CARRIER_FIELDS),
    *(sa.Column(name, sa.Boolean, primary_key=True) for name in (*CAPABILITY_NAMES, "is_unassigned")),
)

# The calling codes of the numbers that a tenant, or one below it, holds or once held. Numbers without a country are
# read in these countries (R14c). Written in the same transaction as the numbers. Kept when the last number, or the
# tenant below that held it, is removed: a file that is uploaded again must be read in the same way.
tenant_countries = sa.Table(
    "tenant_countries",
    metadata,
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("calling_code", sa.SmallInteger, primary_key=True, autoincrement=False),
)

# How many numbers a tenant and those below it hold, by status: all of them ("total"), and by calling code and carrier;
# and how many the tenant itself holds ("held"). A chunk adds rows with its differences in the transaction that writes
# its numbers, so that chunks do not wait for each other; a count is the sum of its rows, which upkeep folds.
number_counts = sa.Table(
    "number_counts",
    metadata,
    _key(sa.BigInteger),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    sa.Column("dimension", sa.Text, nullable=False),
    # The calling code, or the id of the carrier; 0 for other dimensions.
    sa.Column("key", sa.Integer, nullable=False),
    sa.Column("is_unassigned", sa.Boolean, nullable=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.CheckConstraint("dimension IN ('total', 'held', 'code', 'carrier')", name="dimension"),
    sa.Index("ix_number_counts_tenant_id", "tenant_id", "dimension"),
)

# The days (UTC) whose last state was counted for the report of numbers held. `is_complete` is false if that took too
# long.
counted_days = sa.Table(
    "counted_days",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    _now("counted_at"),
    sa.Column("is_complete", sa.Boolean, nullable=False),
)

# How many numbers each tenant held at the end of a day, by country, voice carrier and capabilities.
daily_holdings = sa.Table(
    "daily_holdings",
    metadata,
    _key(sa.BigInteger),
    sa.Column("day", sa.Date, sa.ForeignKey("counted_days.day", ondelete="CASCADE"), nullable=False),
    sa.Column("holder_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    sa.Column("country", sa.Text),
    # Without a reference: the counts stay when the carrier is deleted.
    sa.Column("voice_carrier_id", sa.Integer),
    *(sa.Column(name, sa.Boolean, nullable=False) for name in CAPABILITY_NAMES),
    sa.Column("numbers", sa.BigInteger, nullable=False),
    sa.Index("ix_daily_holdings_holder_id", "holder_id", "day"),
    sa.Index("ix_daily_holdings_day", "day"),
)

# The jobs that changed a number after the job that created it (`worker.numbers.history`).
number_events = sa.Table(
    "number_events",
    metadata,
    sa.Column("e164", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("job_id", sa.BigInteger, primary_key=True, autoincrement=False),
)

# The changes of the inventory (R34), one row for each committed chunk, or for each part of a large one: ids ascend in
# the order of the commits, because the writers add them one after the other, last in their transactions.
number_changes = sa.Table(
    "number_changes",
    metadata,
    _key(sa.BigInteger),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()),
    sa.Column("job_id", sa.BigInteger, nullable=False),
    # The paths of the numbers' holders, before and after: id -> ids. A tenant may be deleted later.
    sa.Column("paths", JSONB, nullable=False),
    # `schemas.arrow_schemas.CHANGES` as an Arrow stream, compressed.
    sa.Column("content", sa.LargeBinary, nullable=False),
)

# The changes that a tenant sees, numbered by tenant, so that a cursor does not reveal how much others change (R3).
# No foreign keys: a check would wait for a transaction that deletes a tenant, and with it all writers.
MARK = "(random() * 2147483646)::integer + 1"
number_change_positions = sa.Table(
    "number_change_positions",
    metadata,
    sa.Column("tenant_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("change_id", sa.BigInteger, nullable=False, index=True),
    # Drawn by chance, never 0: positions that a database restored from a backup gives out again have other marks.
    sa.Column("mark", sa.Integer, nullable=False, server_default=sa.text(MARK)),
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
    # The admin who started the job in the portal; null for API tokens. No foreign key: removing an admin must not scan
    # all jobs, and ids are not used again.
    sa.Column("created_by_admin_id", sa.Integer),
    # What the client wants to find the job by (`external_id`), and to read in it.
    sa.Column("external_id", sa.Text),
    sa.Column("metadata", JSONB, nullable=False, server_default="{}"),
    # The request that submitted the job: its id, and its span (`traceparent` of W3C Trace Context) if there was one.
    # For logs and traces only; no response shows them.
    sa.Column("request_id", sa.Text),
    sa.Column("traceparent", sa.Text),
    _now("created_at"),
    _time("started_at"),
    _time("finished_at"),
    # The uploaded file; null if the rows are a list, a selection, or the rows of another job.
    sa.Column("file_name", sa.Text),
    sa.Column("file_size", sa.BigInteger),
    sa.Column("file_sha256", sa.LargeBinary),
    # What the reader detected (format, encoding, delimiter, sheet, columns).
    sa.Column("file_facts", JSONB, nullable=False, server_default="{}"),
    sa.Column("rows_total", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("rows_done", sa.BigInteger, nullable=False, server_default="0"),
    # Open work items of the current phase: batches to validate, chunks to write, or parts of the report to render.
    sa.Column("pieces_left", sa.Integer, nullable=False, server_default="0"),
    # The lease tokens of the committed read and of the committed check: only the files under these tokens count.
    sa.Column("read_token", sa.BigInteger),
    sa.Column("check_token", sa.BigInteger),
    # The tally of the rows that the check decided; once the job has ended, of all rows.
    sa.Column("tally", JSONB),
    sa.Column("problem", JSONB),
    sa.Column("duplicate_of_id", sa.BigInteger, sa.ForeignKey("jobs.id")),
    sa.Column("undo_of_id", sa.BigInteger, sa.ForeignKey("jobs.id")),
    # The job whose failed rows this file corrects.
    sa.Column("parent_id", sa.BigInteger, sa.ForeignKey("jobs.id")),
    # What of the job was counted against quotas of its tenant: the rows, once they are read, and the stored file, as
    # long as it is kept.
    sa.Column("counted_rows", sa.BigInteger),
    sa.Column("counted_bytes", sa.BigInteger),
    # How often the file was checked again, each time from the beginning.
    sa.Column("rechecks", sa.Integer, nullable=False, server_default="0"),
    # The expected effect of a job under review (`schemas.http.resources.Review`), and until when it can be confirmed.
    sa.Column("review", JSONB),
    _time("review_until"),
    # Which of its files the job still has (`worker.jobs.retention.FileClass`).
    sa.Column("keeps_chunks", sa.Boolean, nullable=False, server_default=sa.true()),
    # The number of the job's latest correction (R33), which is not used again if that is taken back.
    sa.Column("corrections", sa.Integer, nullable=False, server_default="0"),
    sa.Column("keeps_upload", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("keeps_report", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Index("ix_jobs_tenant_id", "tenant_id", "id"),
    # Lists of jobs, newest first: of a tenant, and of all for the master (`worker.jobs.search`).
    sa.Index("ix_jobs_tenant_created", "tenant_id", "created_at", "id"),
    sa.Index("ix_jobs_external_id", "tenant_id", "external_id", postgresql_where=sa.text("external_id IS NOT NULL")),
    sa.Index("ix_jobs_created", "created_at", "id"),
    sa.Index("ix_jobs_parent_id", "parent_id", postgresql_where=sa.text("parent_id IS NOT NULL")),
    # The rescuer queries these jobs in every run; they are few at any time.
    sa.Index("ix_jobs_unsettled", "status", postgresql_where=sa.text("status IN ('review', 'cancelling')")),
    # Jobs that have not ended: every scrape of the metrics counts them.
    sa.Index("ix_jobs_open", "status", postgresql_where=sa.text("finished_at IS NULL")),
    # The same of one tenant, for its quota, and for a job's position in the queue.
    sa.Index("ix_jobs_open_tenant", "tenant_id", "id", postgresql_where=sa.text("finished_at IS NULL")),
    # Reviews that expire next.
    sa.Index("ix_jobs_review_until", "review_until", postgresql_where=sa.text("status = 'review'")),
    # Jobs whose files are removed next: a job leaves an index once the files of that class are gone.
    *(
        sa.Index(f"ix_jobs_{mark}", "finished_at", postgresql_where=sa.text(f"{mark} AND finished_at IS NOT NULL"))
        for mark in ("keeps_chunks", "keeps_upload", "keeps_report")
    ),
    # The undo of a job: the job's page shows it, and while it runs, it keeps the job's files from being deleted.
    sa.Index("ix_jobs_undo_of_id", "undo_of_id", postgresql_where=sa.text("undo_of_id IS NOT NULL")),
)

# What the columns of an upload's file are and may be (`schemas.http.mapping`), as long as it can be checked again.
file_descriptions = sa.Table(
    "file_descriptions",
    metadata,
    sa.Column("job_id", sa.BigInteger, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("description", JSONB, nullable=False),
)

# Corrections of an upload under review (R33), as the request had them. `rows`: how many it changed, null until it is
# applied; `is_removed`: it was taken back, and is deleted once its rows are validated without it.
corrections = sa.Table(
    "corrections",
    metadata,
    sa.Column("job_id", sa.BigInteger, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("body", JSONB, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    _now("created_at"),
    sa.Column("rows", sa.Integer),
    sa.Column("is_removed", sa.Boolean, nullable=False, server_default=sa.false()),
)

# Questions what a correction would do, until they are answered and the answer is fetched. `number`: that of the work
# item.
correction_previews = sa.Table(
    "correction_previews",
    metadata,
    sa.Column("number", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("job_id", sa.BigInteger, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("body", JSONB, nullable=False),
    sa.Column("answer", JSONB),
    _now("created_at"),
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
    # Attempts that failed because the database or the storage was unavailable (transient failures), which do not count,
    # and the time of the first one.
    sa.Column("setbacks", sa.Integer, nullable=False, server_default="0"),
    _time("setback_since"),
    # The check whose folder the chunk's file is in, if it is not the job's last one (after a correction, R33).
    sa.Column("check_token", sa.BigInteger),
    # The error of the last counted attempt (exception type and SQLSTATE, then the reason): the same kind of error twice
    # is not an accident.
    sa.Column("last_error", sa.Text),
    _now("next_attempt_at"),
    # From when on the rescuer announces the job because of this work item: `queued_jobs` takes it over.
    _now("hint_due_at"),
    sa.Column("rows", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("result_key", sa.Text),
    # The before-images (`schemas.arrow_schemas.IMAGES`); null if the chunk wrote no number that existed before.
    sa.Column("image_key", sa.Text),
    sa.Column("tally", JSONB),
    # Begin and end of the attempt that counts, and its seconds in each stage (`schemas.jobs.Stage`).
    _time("claimed_at"),
    _time("ended_at"),
    sa.Column("seconds", JSONB),
    # The version of the tables (the number of the migration) that the worker with the lease knows, and again the token
    # of that lease: a worker of a release that knows neither column leaves both as they were.
    sa.Column("worker_version", sa.Integer),
    sa.Column("worker_token", sa.BigInteger),
    sa.CheckConstraint(
        "phase IN ('check', 'validate', 'cut', 'write', 'report', 'render', 'callback', 'workbook', 'mail', 'correct', "
        "'preview', 'export')",
        name="phase",
    ),
    sa.CheckConstraint("state IN ('pending', 'leased', 'done', 'dead')", name="state"),
    sa.CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name="lease"),
    # Older workers cannot claim: what they would write is incomplete. `workers_since` of the migrations.
    sa.CheckConstraint(
        f"state <> 'leased' OR coalesce(worker_token = lease_token AND worker_version >= {WORKERS_SINCE}, false)",
        name="worker_version",
    ),
    # Each of one job or of few rows, whatever the planner's statistics say: an index of all that wait misleads it.
    sa.Index("ix_job_chunks_leased", "phase", "lease_until", postgresql_where=sa.text("state = 'leased'")),
    sa.Index("ix_job_chunks_pending", "job_id", "number", "phase", postgresql_where=sa.text("state = 'pending'")),
    sa.Index(
        "ix_job_chunks_workbooks",
        "job_id",
        postgresql_where=sa.text("phase = 'workbook' AND state IN ('pending', 'leased')"),
    ),
)

# The queue (`worker.queue.turns`): one row for each job and queue while the job has work items in it that wait, and
# until it ends. Triggers add the rows, also for work items that earlier releases add.
queued_jobs = sa.Table(
    "queued_jobs",
    metadata,
    sa.Column("job_id", sa.BigInteger, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("queue", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Integer, nullable=False),
    # The token of the job's last claim.
    sa.Column("turn", sa.BigInteger, nullable=False, server_default="0"),
    # Whether it is in the order of turns: then its tenant is waiting, too.
    sa.Column("is_due", sa.Boolean, nullable=False, server_default=sa.false()),
    # Since when it has a work item that can be claimed, or when it will; `infinity` if it has none.
    sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
    # From when on the rescuer announces the job, if work items of it can be claimed then.
    sa.Column("hint_due_at", sa.DateTime(timezone=True), nullable=False),
    sa.Index("ix_queued_jobs_turn", "queue", "tenant_id", "turn", "job_id", postgresql_where=sa.text("is_due")),
    # Their conditions keep the planner, whatever its statistics say, from finding the next turn by them.
    sa.Index("ix_queued_jobs_due", "queue", "due_at", postgresql_where=sa.text("NOT is_due")),
    sa.Index(
        "ix_queued_jobs_hint",
        "queue",
        "hint_due_at",
        postgresql_where=sa.text("is_due AND hint_due_at < 'infinity'"),
    ),
)

# The turn of each tenant in each queue: the token of its last claim, kept for ever.
queued_tenants = sa.Table(
    "queued_tenants",
    metadata,
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("queue", sa.Text, primary_key=True),
    sa.Column("turn", sa.BigInteger, nullable=False, server_default="0"),
    # Whether it may have jobs that are due; certainly not if false.
    sa.Column("is_waiting", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("ix_queued_tenants_turn", "queue", "turn", "tenant_id", postgresql_where=sa.text("is_waiting")),
)

# The migrations from 0034 on, and for each the oldest version of workers and of web processes that can use the tables
# after it.
schema_versions = sa.Table(
    "schema_versions",
    metadata,
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("workers_since", sa.Text, nullable=False),
    sa.Column("web_since", sa.Text, nullable=False),
    _now("applied_at"),
    # When what workers from before 0034 left was repaired, in the row of 0034.
    _time("repaired_at"),
)

# Processes of the service that use the database (`worker.database.processes`). One that has not been seen for long has
# ended.
processes = sa.Table(
    "processes",
    metadata,
    sa.Column("id", UUID(as_uuid=False), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.BigInteger, nullable=False),
    # The release that it is of, and the version of the tables that it knows.
    sa.Column("release", sa.Text, nullable=False),
    sa.Column("schema_version", sa.Text, nullable=False),
    _now("started_at"),
    _now("seen_at"),
    sa.CheckConstraint("kind IN ('web', 'worker')", name="kind"),
)

# Counters since the installation, unaffected by retention: a total is the sum of its rows. Each increment adds a row,
# so that transactions do not wait for each other; `worker.database.counters` folds the rows.
totals = sa.Table(
    "totals",
    metadata,
    _key(sa.BigInteger),
    sa.Column("name", sa.Text, nullable=False),
    # In the order of the metric's labels (`schemas.metrics`).
    sa.Column("labels", ARRAY(sa.Text), nullable=False),
    sa.Column("value", sa.Double, nullable=False),
)

# Idempotency keys (`Idempotency-Key`) of clients: one row from the moment the request begins.
idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    # The request that holds the key; as with leases, only the holder may finish it.
    sa.Column("claim", sa.BigInteger, nullable=False),
    # While the request runs, the claim expires then unless it is renewed; after it has finished, the key expires then.
    sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    # SHA-256 of the finished request, the job that it created, if any, and the response: status, Location and body.
    sa.Column("fingerprint", sa.LargeBinary),
    sa.Column("job", UUID(as_uuid=False)),
    sa.Column("status", sa.SmallInteger),
    sa.Column("location", sa.Text),
    sa.Column("answer", sa.Text),
    sa.CheckConstraint("fingerprint IS NOT NULL OR job IS NULL", name="finished"),
    sa.Index("ix_idempotency_keys_until", "until"),
)

# Callbacks: one row for each job that requested one. The delivery is a work item (`job_chunks`).
callbacks = sa.Table(
    "callbacks",
    metadata,
    sa.Column("job_id", sa.BigInteger, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), nullable=False),
    _public_id(),
    # The URL may contain secrets of the receiver: it is never logged, and only the tenant can see it.
    sa.Column("url", sa.Text, nullable=False),
    _now("created_at"),
    _time("delivered_at"),
    _time("given_up_at"),
    sa.CheckConstraint("delivered_at IS NULL OR given_up_at IS NULL", name="one_end"),
    sa.Index("ix_callbacks_tenant_id", "tenant_id", "job_id"),
    # Callbacks that are removed next.
    sa.Index(
        "ix_callbacks_ended",
        sa.text("COALESCE(delivered_at, given_up_at)"),
        postgresql_where=sa.text("delivered_at IS NOT NULL OR given_up_at IS NOT NULL"),
    ),
)

# All delivery attempts, whatever their result; the receiver's response is not stored.
callback_deliveries = sa.Table(
    "callback_deliveries",
    metadata,
    _key(sa.BigInteger),
    sa.Column("job_id", sa.BigInteger, sa.ForeignKey("callbacks.job_id", ondelete="CASCADE"), nullable=False),
    _now("at"),
    sa.Column("attempt", sa.Integer, nullable=False),
    # A `schemas.http.callbacks.DeliveryResult`, and the HTTP status if there was a response.
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Index("ix_callback_deliveries_job_id", "job_id", "id"),
)

# E-mails about jobs: one row for each job and event that its starter wants to be notified of. The sending is a work
# item. The address is not stored here: it is read when the e-mail is sent, so a removed admin gets none.
mails = sa.Table(
    "mails",
    metadata,
    sa.Column("job_id", sa.BigInteger, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("event", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id"), nullable=False),
    sa.Column("admin_id", sa.Integer, nullable=False),
    _now("created_at"),
    # When it was counted against the tenant's limit, before its first attempt; further attempts do not count.
    _time("counted_at"),
    _time("ended_at"),
    # A `schemas.mails.MailResult`.
    sa.Column("result", sa.Text),
    sa.CheckConstraint("event IN ('finished', 'failed', 'review')", name="event"),
    sa.CheckConstraint("(ended_at IS NULL) = (result IS NULL)", name="ended"),
    # E-mails that are removed next.
    sa.Index("ix_mails_ended", "ended_at", postgresql_where=sa.text("ended_at IS NOT NULL")),
    sa.Index(
        "ix_mails_tenant_id_counted_at", "tenant_id", "counted_at", postgresql_where=sa.text("counted_at IS NOT NULL")
    ),
)

# The secrets that sign a tenant's callbacks. An HMAC needs the secret itself, so unlike tokens it cannot be stored as a
# hash: read access to this table allows forging the signatures of this service, and nothing else.
callback_secrets = sa.Table(
    "callback_secrets",
    metadata,
    _key(),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    _now("created_at"),
    # Until when it still signs beside its successor; null while it is the current one.
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

# Subscriptions to events (`/v1/webhooks`). A secret cannot be a hash, as in `callback_secrets`.
webhooks = sa.Table(
    "webhooks",
    metadata,
    _key(),
    _public_id(),
    sa.Column("tenant_id", sa.Integer, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    # The URL may contain secrets of the receiver: it is never logged, and only the tenant can see it.
    sa.Column("url", sa.Text, nullable=False),
    # `schemas.http.webhooks.Event`, and whether any of them is about numbers.
    sa.Column("events", ARRAY(sa.Text), nullable=False),
    sa.Column("wants_numbers", sa.Boolean, nullable=False),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("is_enabled", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    # Signs beside its successor until then.
    sa.Column("previous_secret", sa.LargeBinary),
    _time("previous_until"),
    sa.Column("created_by", sa.Text, nullable=False),
    _now("created_at"),
    # How far the tenant's changes of numbers were delivered (`worker.numbers.changes.Cursor`).
    sa.Column("cursor_position", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("cursor_count", sa.Integer, nullable=False, server_default="0"),
    # The first failure since the last delivery, and when the subscription was switched off for it.
    _time("failing_since"),
    _time("disabled_at"),
    # When the tenant's admins were notified of that by e-mail.
    _time("notified_at"),
    # Where the last delivered message about numbers ended; another one if changes after it are lost.
    sa.Column("sent_position", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("sent_count", sa.Integer, nullable=False, server_default="0"),
    # The last delivery, and how many attempts have failed since.
    _time("delivered_at"),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.CheckConstraint("length(secret) BETWEEN 24 AND 64", name="secret"),
    sa.Index("ix_webhooks_tenant_id", "tenant_id", "id"),
)

# Messages to subscribers: about one job, about changes of numbers, or a test. Of those about numbers, the next
# one is added when the last one was delivered, so that they arrive in order.
webhook_messages = sa.Table(
    "webhook_messages",
    metadata,
    _key(sa.BigInteger),
    _public_id(),
    sa.Column("webhook_id", sa.Integer, sa.ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("job_id", sa.BigInteger),
    # Of a message about numbers: the cursors before and behind its changes.
    sa.Column("after_position", sa.BigInteger),
    sa.Column("after_count", sa.Integer),
    sa.Column("end_position", sa.BigInteger),
    sa.Column("end_count", sa.Integer),
    # Where the message before it ended: `sent_position` then.
    sa.Column("previous_position", sa.BigInteger),
    sa.Column("previous_count", sa.Integer),
    sa.Column("state", sa.Text, nullable=False, server_default="pending"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    _now("next_attempt_at"),
    sa.Column("lease_token", sa.BigInteger),
    _time("lease_until"),
    _now("created_at"),
    _time("ended_at"),
    sa.CheckConstraint("kind IN ('job', 'numbers', 'test')", name="kind"),
    sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", name="state"),
    sa.Index("ix_webhook_messages_webhook_id", "webhook_id", "id"),
    sa.Index("ix_webhook_messages_due", "next_attempt_at", postgresql_where=sa.text("state = 'pending'")),
    sa.Index("ix_webhook_messages_ended", "ended_at", postgresql_where=sa.text("ended_at IS NOT NULL")),
)
sa.Index(
    "ix_webhook_messages_numbers",
    webhook_messages.c.webhook_id,
    postgresql_where=sa.text("kind = 'numbers' AND state = 'pending'"),
)

# All delivery attempts, as `callback_deliveries`.
webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    _key(sa.BigInteger),
    sa.Column("message_id", sa.BigInteger, sa.ForeignKey("webhook_messages.id", ondelete="CASCADE"), nullable=False),
    _now("at"),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Index("ix_webhook_deliveries_message_id", "message_id", "id"),
)
