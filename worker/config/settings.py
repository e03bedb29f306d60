"""Settings: the environment variables `NUMBERYARD_*`, read once per process into one frozen object.

A setting for which there is a standard variable is read from that one.

No other module of the service reads settings from the environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas import callback_urls, mail_addresses
from schemas.mail_addresses import SmtpTls

MIB = 1024 * 1024
PREFIX = "NUMBERYARD_"
SHORTEST_TOKEN = 16  # characters
OTHER_CALLS = 4  # concurrent calls of the object store besides those of uploads and downloads
SMTP_OPTIONAL = ("host", "port", "user", "password", "sender", "reply_to", "ca_file")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SENTINEL_SCHEMES = frozenset({"sentinel", "sentinels"})
LONGEST_KEPT = 36_500.0  # days; PostgreSQL has no dates before the year -4712
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")  # as browsers send it


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


class Settings(BaseSettings):
    """Every setting; `docs/reference/settings.md` is generated from these fields."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    data_dir: Path = Field(
        Path("var"), description="Folder in which `numberyard up` stores its databases, files and logs."
    )
    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL 15 or later, as `postgresql://user:password@host:port/name`; a primary and its "
        "standbys as `postgresql://user:password@host1:port,host2:port/name`. Unset: embedded.",
    )
    database_pooled: bool = Field(
        default=False,
        description="Whether `NUMBERYARD_DATABASE_URL` leads to a pooler, such as PgBouncer: then no statement is "
        "prepared, and nothing is set for longer than a transaction.",
    )
    database_wait_seconds: float = Field(
        10.0,
        gt=0,
        le=60,
        description="Maximum time to wait for a free connection to the database, in the process and in the pooler, in "
        "seconds. Then requests get a 503 response, and work items are retried.",
    )
    redis_url: SecretStr | None = Field(
        None,
        description="Redis 7 or later or Valkey, as `redis://:password@host:port/0`, with TLS `rediss://`; behind "
        "Redis Sentinel as `sentinel://:password@host1:26379/0;sentinel://host2:26379`, with TLS `sentinels://`. "
        "Unset: embedded.",
    )
    redis_master_name: str | None = Field(
        None,
        validate_default=True,
        description="Name under which the sentinels monitor the broker, as `mymaster`; needed with `sentinel://`.",
    )
    redis_sentinel_password: SecretStr | None = Field(
        None, description="Password of the sentinels themselves. Unset: they have none."
    )
    redis_ca_file: Path | None = Field(
        None,
        description="File with the certificate authorities (PEM) to trust for the broker's certificate, for "
        "`rediss://` and `sentinels://`. Unset: the public authorities.",
    )
    redis_cert_file: Path | None = Field(
        None, description="File with the client certificate (PEM) for the broker, if it asks for one."
    )
    redis_key_file: Path | None = Field(
        None,
        description="File with the private key (PEM) of the client certificate. Unset: it is in the file of the "
        "certificate.",
    )
    storage_url: str | None = Field(
        None,
        description="Location of uploads and reports: `file:///folder`, `s3://bucket/prefix`, `gs://` or `az://`. "
        "Unset: `files` in the data folder.",
    )
    storage_endpoint: str | None = Field(
        None,
        pattern="^https?://",
        description="Address of an S3-compatible store, as `https://minio.example.com`. Unset: the provider's own.",
    )
    storage_region: str | None = Field(
        None, description="Region of the bucket. Unset: `AWS_REGION`, else the provider's default."
    )
    storage_ca_file: Path | None = Field(
        None,
        description="File with certificate authorities (PEM) to trust for the object store, in addition to the public "
        "authorities.",
    )
    storage_timeout_seconds: float = Field(
        30.0,
        ge=1,
        le=240,
        description="Timeout of one request to the object store, in seconds. A part of 8 MiB must be sent within it.",
    )
    storage_calls: int | None = Field(
        None,
        ge=1,
        description="Maximum concurrent calls of the object store in one web process. Further requests that need the "
        "store get a 503 response. Unset: `NUMBERYARD_SHARE_UPLOADS` + `NUMBERYARD_SHARE_DOWNLOADS` + "
        f"{OTHER_CALLS}.",
    )
    max_upload_bytes: int = Field(1024 * MIB, ge=1, description="Maximum size of an upload, in bytes.")
    max_rows: int = Field(10_000_000, ge=1, description="Maximum rows in one file, and numbers of its blocks.")
    max_columns: int = Field(256, ge=5, description="Maximum columns in one file.")
    max_cell_chars: int = Field(32_767, ge=64, description="Maximum length of a cell, in characters.")
    max_inflated_bytes: int = Field(
        4096 * MIB, ge=1, description="Maximum unpacked size of a workbook or archive, in bytes."
    )
    max_inflated_ratio: int = Field(
        400,
        ge=1,
        description="Maximum ratio of unpacked to packed size of a workbook or archive. 64 MiB are always allowed.",
    )
    max_sheets: int = Field(1000, ge=1, description="Maximum sheets in one workbook.")
    workbook_memory_bytes: int = Field(
        2048 * MIB, ge=64 * MIB, description="Maximum memory for reading one workbook, in bytes."
    )
    workbook_seconds: float = Field(300.0, gt=0, description="Maximum time for reading one workbook, in seconds.")
    max_block: int = Field(10_000, ge=1, description="Maximum numbers in the block of one row (End Number).")
    rows_per_batch: int = Field(
        65_536, ge=1, description="Maximum rows of a work item that validates rows or renders the report."
    )
    max_rows_all_or_nothing: int = Field(
        1_000_000,
        ge=1,
        description="Maximum numbers in a job with on_error=abort, which writes all of them in one transaction.",
    )
    rows_per_chunk: int = Field(
        25_000, ge=1, description="Numbers written in one transaction; up to twice as many in a large file."
    )
    lease_seconds: float = Field(
        30.0,
        gt=0,
        description="Time without a heartbeat after which another worker takes over a work item, in seconds.",
    )
    longest_piece_seconds: float = Field(
        3600.0,
        gt=0,
        description="Maximum time for one work item, in seconds. After that another worker takes it over.",
    )
    patience_hours: float = Field(
        24.0,
        gt=0,
        description="How long a job retries while the database or storage is unavailable before it fails, in hours.",
    )
    max_attempts: int = Field(5, ge=1, description="Maximum attempts of one work item before it is given up.")
    hint_seconds: float = Field(
        5.0, gt=0, description="Time after which the wake-up message of a waiting work item is sent again, in seconds."
    )
    review_seconds: float = Field(86_400.0, gt=0, description="Time to confirm a job under review, in seconds.")
    idempotency_hours: float = Field(24.0, gt=0, description="How long an `Idempotency-Key` is kept, in hours.")
    keep_uploads_days: float = Field(
        30.0, gt=0, le=LONGEST_KEPT, description="How long uploaded files are kept after their job ends, in days."
    )
    keep_chunks_days: float = Field(
        1.0,
        gt=0,
        le=LONGEST_KEPT,
        description="How long the intermediate files of a job are kept after it ends, in days.",
    )
    keep_reports_days: float = Field(
        90.0,
        gt=0,
        le=LONGEST_KEPT,
        description="How long a job's report is kept, and the job can be undone, after it ends, in days.",
    )
    keep_changes_days: float = Field(
        30.0,
        gt=0,
        le=LONGEST_KEPT,
        description="How long changes of the inventory are kept for those who follow them, in days.",
    )
    keep_deliveries_days: float = Field(
        90.0,
        gt=0,
        le=LONGEST_KEPT,
        description="How long callbacks with their delivery attempts, and the results of e-mails, are kept after they "
        "end, in days.",
    )
    keep_tokens_days: float = Field(
        365.0, gt=0, le=LONGEST_KEPT, description="How long revoked and expired API tokens are listed, in days."
    )
    keep_history_days: float = Field(
        730.0,
        gt=0,
        le=LONGEST_KEPT,
        description="How long the history of a number names the jobs that changed it, in days. The jobs that created "
        "it and last changed it are always named.",
    )
    keep_daily_counts_days: int = Field(
        800,
        ge=1,
        le=int(LONGEST_KEPT),
        description="How long the numbers held at the end of each day are kept for reports, in days.",
    )
    orphan_hours: float = Field(
        24.0,
        gt=0,
        le=24 * LONGEST_KEPT,
        description="Age at which incomplete files and files without a job are deleted, in hours.",
    )
    callback_timeout_seconds: float = Field(
        10.0,
        gt=0,
        description="Timeout of one attempt to deliver a callback, from the DNS lookup to the response, in seconds.",
    )
    callback_networks: str | None = Field(
        None,
        description="Private networks that callbacks may use, as `10.0.0.0/8,fd00::/8`. Unset: global addresses only.",
    )
    callback_redirects: int = Field(
        0, ge=0, le=10, description="Maximum redirects that a callback follows; each address is checked."
    )
    callback_ca_file: Path | None = Field(
        None,
        description="File with certificate authorities (PEM) to trust for receivers of callbacks, in addition to the "
        "public authorities.",
    )
    callback_secret_hours: float = Field(
        24.0, gt=0, description="How long a replaced secret still signs callbacks beside the new one, in hours."
    )
    callback_backoff_scale: float = Field(
        1.0, ge=0, description="Factor for the pauses between the attempts of a callback; for tests."
    )
    public_url: str | None = Field(
        None,
        description="Address at which people reach the portal, as `https://numbers.example.com`, for the links "
        "in e-mails.",
    )
    smtp_host: str | None = Field(
        None,
        description="Mail server that sends e-mails about jobs. Unset: none are offered. They are also not offered "
        "without `NUMBERYARD_SMTP_SENDER` and `NUMBERYARD_PUBLIC_URL`.",
    )
    smtp_port: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="Port of the mail server. Unset: 587 for `starttls`, 465 for `tls`, 25 for `none`.",
    )
    smtp_tls: SmtpTls = Field(
        SmtpTls.STARTTLS,
        description="Encryption of the connection to the mail server: `starttls`, `tls` (from the first byte) or "
        "`none`. Certificates are always verified.",
    )
    smtp_password: SecretStr | None = Field(None, description="Password for the mail server.")
    smtp_user: str | None = Field(
        None, description="User name for the mail server; not with `NUMBERYARD_SMTP_TLS=none`. Unset: no sign-in."
    )
    smtp_sender: str | None = Field(
        None, description="Sender of e-mails, as `Numberyard <no-reply@example.com>` or only the address."
    )
    smtp_reply_to: str | None = Field(None, description="Address for replies to e-mails. Unset: the sender.")
    smtp_ca_file: Path | None = Field(
        None,
        description="File with certificate authorities (PEM) to trust for the mail server, in addition to the public "
        "authorities.",
    )
    smtp_timeout_seconds: float = Field(
        30.0,
        gt=0,
        description="Timeout of one attempt to send an e-mail, after connecting, in seconds.",
    )
    mails_per_hour: int = Field(
        100, ge=1, description="Maximum e-mails of one tenant in an hour. Those above it are not sent."
    )
    quota_requests_per_minute: int = Field(
        30_000,
        ge=0,
        description="Maximum API requests of one tenant in a minute, and requests of one person in the portal; 0: no "
        "limit. This and the following quotas can be set for each tenant: `numberyard quotas set`.",
    )
    quota_concurrent_uploads: int = Field(
        32, ge=0, description="Maximum files that one tenant sends at the same moment; 0: no limit."
    )
    quota_open_jobs: int = Field(
        10_000, ge=0, description="Maximum jobs of one tenant that have not ended; 0: no limit."
    )
    quota_rows_per_day: int = Field(
        100_000_000,
        ge=0,
        description="Maximum rows of files, lists and selections of one tenant in a day (UTC); 0: no limit.",
    )
    quota_stored_bytes: int = Field(
        1024 * 1024 * MIB,
        ge=0,
        description="Maximum size of the uploads and exports that are kept for one tenant, in bytes; 0: no limit.",
    )
    sweep_seconds: float = Field(
        1.0, gt=0, description="Pause between two runs of the rescuer, which recovers lost work, in seconds."
    )
    tidy_seconds: float = Field(
        300.0, gt=0, description="Pause between two runs of the cleaner, which deletes expired data, in seconds."
    )
    session_idle_minutes: float = Field(
        480.0, gt=0, description="Time without activity after which a browser is signed out of the portal, in minutes."
    )
    session_hours: float = Field(
        168.0, gt=0, description="Time after which a browser is signed out of the portal even if active, in hours."
    )
    one_time_password_hours: float = Field(72.0, gt=0, description="How long a temporary password is valid, in hours.")
    trust_forwarded: bool = Field(
        False,  # noqa: FBT003 - the default
        description="Whether to trust `X-Forwarded-Proto`. Use only if all requests come through a proxy that sets it.",
    )
    trusted_proxies: str | None = Field(
        "127.0.0.0/8,::1",
        description="Networks of reverse proxies, as `10.0.0.0/8,fd00::/8`. Their connections have no limit per "
        "address, and their `X-Forwarded-For` names the client.",
    )
    cors_origins: str | None = Field(
        None,
        description="Web pages that may call the API from a browser (CORS), by origin, as "
        "`https://app.example.com,http://localhost:5173`; `*` for all. Unset: none.",
    )
    max_connections: int = Field(512, ge=1, description="Maximum connections of one web process.")
    max_connections_per_address: int = Field(
        100,
        ge=1,
        description="Maximum connections of one client address to one web process, and maximum concurrent requests of "
        "one client behind a trusted proxy.",
    )
    request_head_seconds: float = Field(
        15.0, gt=0, description="Maximum time for the request headers to arrive on a new connection, in seconds."
    )
    body_grace_seconds: float = Field(
        30.0, gt=0, description="Time before the minimum rate of a request body is enforced, in seconds."
    )
    min_body_bytes_per_second: float = Field(
        1024.0, gt=0, description="Minimum average rate of a request body, in bytes per second."
    )
    web_threads: int = Field(
        40,
        ge=8,
        description="Request threads of one web process; uploads have separate threads. Use more than "
        "`NUMBERYARD_STORAGE_CALLS` + `NUMBERYARD_SHARE_WAITS`, so that neither can occupy all threads.",
    )
    share_uploads: int = Field(
        8, ge=1, description="Maximum concurrent uploads and other large request bodies in one web process."
    )
    share_downloads: int = Field(
        8, ge=1, description="Maximum concurrent downloads of reports and exports in one web process."
    )
    share_waits: int = Field(
        12, ge=1, description="Maximum concurrent requests in one web process that wait for a job or a workbook."
    )
    share_passwords: int = Field(
        8, ge=1, description="Maximum concurrent requests in one web process that hash a password, such as sign-ins."
    )
    share_readiness: int = Field(
        2,
        ge=1,
        description="Maximum concurrent requests for `/readyz` in one web process that wait for the checks; others get "
        "the latest result.",
    )
    workers: int = Field(2, ge=1, description="Number of worker processes that `numberyard up` starts.")
    metrics_token: SecretStr | None = Field(
        None,
        description="Bearer token for `/metrics`, at least 16 characters; while it is changed the new and the old one, "
        "separated by a comma. Unset: only requests from the same machine are allowed.",
    )
    faults_dir: Path | None = Field(
        None, description="Only for `make chaos`: folder with the failpoints at which processes crash."
    )
    log_level: str = Field(
        "INFO", description="Minimum level of log messages: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`."
    )
    otlp_endpoint: str | None = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        pattern="^https?://",
        description="Address of a collector of OpenTelemetry to send traces to (OTLP over HTTP), as "
        "`http://collector:4318`. Needs the extra `tracing`. Unset: no traces.",
    )
    sentry_dsn: SecretStr | None = Field(
        None,
        description="DSN of a project in Sentry to report unexpected errors to. Needs the extra `sentry`. Unset: none.",
    )

    @field_validator("callback_networks", "trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str | None) -> str | None:
        callback_urls.networks_of(value)
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: str | None) -> str | None:
        for origin in _listed(value):
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin: write it as https://app.example.com, without a path")
        return value

    @field_validator("redis_url")
    @classmethod
    def _has_no_tls_options(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse `ssl_` options: Celery and redis-py read them differently, and each could disable verification.

        Also refuse parts with different schemes: some of them would be used without TLS.
        """
        parts = [] if value is None else value.get_secret_value().split(";")
        if len({urlsplit(part).scheme for part in parts}) > 1:
            raise ValueError("all addresses must begin with the same scheme")
        for part in parts:
            if any(name.startswith("ssl_") for name, _ in parse_qsl(urlsplit(part).query, keep_blank_values=True)):
                raise ValueError(
                    "no ssl_ options: certificates are always verified; see NUMBERYARD_REDIS_CA_FILE and _CERT_FILE"
                )
        return value

    @field_validator("redis_master_name")
    @classmethod
    def _names_the_master(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Require the name with an address of sentinels."""
        url = info.data.get("redis_url")
        schemes = set() if url is None else {urlsplit(part).scheme for part in url.get_secret_value().split(";")}
        if not value and schemes & SENTINEL_SCHEMES:
            raise ValueError("needed with sentinel:// in NUMBERYARD_REDIS_URL")
        return value

    @field_validator("log_level")
    @classmethod
    def _is_level(cls, value: str) -> str:
        """Return the level as `logging` has it, which refuses other names when a process starts."""
        if value.upper() not in LOG_LEVELS:
            raise ValueError(f"one of {', '.join(LOG_LEVELS)}")
        return value.upper()

    @field_validator("metrics_token")
    @classmethod
    def _is_no_guess(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse a weak token. An empty one means unset, because compose files cannot express that in another way."""
        if value is None or not value.get_secret_value():
            return None
        tokens = _listed(value.get_secret_value())
        if not tokens or any(len(token) < SHORTEST_TOKEN or not token.isascii() for token in tokens):
            raise ValueError(f"at least {SHORTEST_TOKEN} characters for each token, ASCII only")
        return value

    @field_validator(
        "public_url", "otlp_endpoint", "sentry_dsn", *(f"smtp_{name}" for name in SMTP_OPTIONAL), mode="before"
    )
    @classmethod
    def _is_unset_if_empty(cls, value: object) -> object:
        """Take an empty text as unset, because compose files cannot express that in another way."""
        return value or None

    @field_validator("public_url")
    @classmethod
    def _is_public_url(cls, value: str | None) -> str | None:
        return None if value is None else mail_addresses.public_url(value)

    @field_validator("smtp_sender", "smtp_reply_to")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None:
            mail_addresses.mailbox(value)
        return value

    @field_validator("smtp_user")
    @classmethod
    def _may_sign_in(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Refuse to send a password without encryption. Not in a check of all fields: its error would show them."""
        if value is not None and info.data.get("smtp_tls") is SmtpTls.NONE:
            raise ValueError("needs NUMBERYARD_SMTP_TLS=starttls or tls")
        if value is not None and info.data.get("smtp_password") is None:
            raise ValueError("needs NUMBERYARD_SMTP_PASSWORD")
        return value

    @property
    def offers_mail(self) -> bool:
        """Whether people can choose e-mails about their jobs."""
        return None not in {self.smtp_host, self.smtp_sender, self.public_url}

    @property
    def networks_for_callbacks(self) -> tuple[callback_urls.Network, ...]:
        """`callback_networks`, parsed."""
        return callback_urls.networks_of(self.callback_networks)

    @property
    def origins_for_api(self) -> tuple[str, ...]:
        """`cors_origins`, parsed."""
        return _listed(self.cors_origins)

    @property
    def networks_of_proxies(self) -> tuple[callback_urls.Network, ...]:
        """`trusted_proxies`, parsed."""
        return callback_urls.networks_of(self.trusted_proxies)

    @property
    def metrics_tokens(self) -> tuple[str, ...]:
        """`metrics_token`, parsed: each admits its bearer."""
        return _listed(None if self.metrics_token is None else self.metrics_token.get_secret_value())

    @property
    def most_storage_calls(self) -> int:
        """`storage_calls` or its default: a slot for each upload and download, and some for short reads."""
        return self.storage_calls or self.share_uploads + self.share_downloads + OTHER_CALLS

    @property
    def files_url(self) -> str:
        """`storage_url` or its default."""
        return self.storage_url or (self.data_dir.absolute() / "files").as_uri()


def variable_of(name: str) -> str:
    """Return the environment variable of a setting: `NUMBERYARD_` and its name, unless it has a standard one."""
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else f"{PREFIX}{name.upper()}"


class SettingsError(ValueError):
    """Settings have wrong values: one line for each, without the value, which may be a password."""


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process. Raises `SettingsError`."""
    try:
        return Settings()
    except ValidationError as failure:
        raise SettingsError("\n".join(f"{name}: {message}" for name, message in wrong_values(failure))) from None


def wrong_values(failure: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield the name of each variable with a wrong value, and what is wrong with it, as a sentence."""
    for each in failure.errors(include_url=False, include_input=False, include_context=False):
        message = each["msg"].removeprefix("Value error, ").rstrip(".")
        location = ".".join(map(str, each["loc"]))
        name = variable_of(location) if location in Settings.model_fields else location
        yield name, f"{message[:1].upper()}{message[1:]}."
