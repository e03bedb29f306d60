"""Settings: the environment variables `NUMBERYARD_*`, read once per process into one frozen object.

No other module of the service reads settings from the environment.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas import callback_urls

MIB = 1024 * 1024
SHORTEST_TOKEN = 16  # characters
OTHER_CALLS = 4  # concurrent calls of the object store besides those of uploads and downloads
LONGEST_KEPT = 36_500.0  # days; PostgreSQL has no dates before the year -4712


class Settings(BaseSettings):
    """Every setting; `docs/reference/settings.md` is generated from these fields."""

    model_config = SettingsConfigDict(env_prefix="NUMBERYARD_", frozen=True, extra="ignore")

    data_dir: Path = Field(Path("var"), description="Where `numberyard up` keeps its databases, files and logs.")
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL 15 or later, as `postgresql://user:password@host:port/name`. Unset: embedded."
    )
    redis_url: SecretStr | None = Field(
        None, description="Redis 7 or later or Valkey, as `redis://:password@host:port/0`. Unset: embedded."
    )
    redis_ca_file: Path | None = Field(
        None,
        description="Authorities (PEM) that the broker's certificate must come from, for `rediss://`. Unset: the "
        "public ones.",
    )
    storage_url: str | None = Field(
        None,
        description="Where uploads and reports are kept: `file:///folder`, `s3://bucket/prefix`, `gs://` or `az://`. "
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
        None, description="Authorities (PEM) that the object store's certificate may come from beside the public ones."
    )
    storage_timeout_seconds: float = Field(
        30.0,
        ge=1,
        le=240,
        description="Time for one request to the object store, in seconds; a part of 8 MiB must be sent within it.",
    )
    storage_calls: int | None = Field(
        None,
        ge=1,
        description="Most calls of the object store that one web process has under way; further requests that need it "
        f"are answered with 503. Unset: `NUMBERYARD_SHARE_UPLOADS` + `NUMBERYARD_SHARE_DOWNLOADS` + {OTHER_CALLS}.",
    )
    max_upload_bytes: int = Field(1024 * MIB, ge=1, description="Largest upload accepted, in bytes.")
    max_rows: int = Field(10_000_000, ge=1, description="Most rows in one file.")
    max_columns: int = Field(256, ge=5, description="Most columns in one file.")
    max_cell_chars: int = Field(32_767, ge=64, description="Longest cell, in characters.")
    max_inflated_bytes: int = Field(
        4096 * MIB, ge=1, description="Largest a workbook or archive may become when unpacked, in bytes."
    )
    max_inflated_ratio: int = Field(
        400, ge=1, description="How many times its size a workbook or archive may become; up to 64 MiB it may anyway."
    )
    max_sheets: int = Field(1000, ge=1, description="Most sheets in one workbook.")
    workbook_memory_bytes: int = Field(
        2048 * MIB, ge=64 * MIB, description="Memory for reading one workbook, in bytes."
    )
    workbook_seconds: float = Field(300.0, gt=0, description="Time for reading one workbook, in seconds.")
    max_block: int = Field(10_000, ge=1, description="Most numbers that one row may stand for (End Number).")
    rows_per_batch: int = Field(
        65_536, ge=1, description="Most rows validated, or rendered into the report, as one piece of work."
    )
    max_rows_all_or_nothing: int = Field(
        1_000_000,
        ge=1,
        description="Most numbers of a job with on_error=abort: all are written in one transaction.",
    )
    rows_per_chunk: int = Field(25_000, ge=1, description="Numbers written in one transaction.")
    lease_seconds: float = Field(
        30.0, gt=0, description="How long a worker may be silent before its work is given away."
    )
    longest_piece_seconds: float = Field(
        3600.0, gt=0, description="Longest that one piece of work may take, in seconds; what hangs is given away then."
    )
    patience_hours: float = Field(
        24.0,
        gt=0,
        description="How long work waits for a database or storage that is away, in hours, before its job fails.",
    )
    max_attempts: int = Field(5, ge=1, description="Tries of one piece of work before it is given up.")
    hint_seconds: float = Field(5.0, gt=0, description="Waiting work is announced again after this time, in seconds.")
    review_seconds: float = Field(86_400.0, gt=0, description="Time to confirm a job under review, in seconds.")
    idempotency_hours: float = Field(24.0, gt=0, description="How long an `Idempotency-Key` is known, in hours.")
    keep_uploads_days: float = Field(
        30.0, gt=0, le=LONGEST_KEPT, description="How long uploaded files are kept after their job's end, in days."
    )
    keep_chunks_days: float = Field(
        1.0,
        gt=0,
        le=LONGEST_KEPT,
        description="How long the files that a job worked with are kept after its end, in days.",
    )
    keep_reports_days: float = Field(
        90.0,
        gt=0,
        le=LONGEST_KEPT,
        description="How long a job's report is kept and the job can be undone after its end, in days.",
    )
    orphan_hours: float = Field(
        24.0,
        gt=0,
        le=24 * LONGEST_KEPT,
        description="Half-written files and files without a job are removed after this time, in hours.",
    )
    callback_timeout_seconds: float = Field(
        10.0, gt=0, description="Time for one try to deliver a callback, in seconds, from the name to the answer."
    )
    callback_networks: str | None = Field(
        None,
        description="Networks that callbacks may go to although they are private, as `10.0.0.0/8,fd00::/8`. "
        "Unset: global addresses only.",
    )
    callback_redirects: int = Field(0, ge=0, le=10, description="Redirects that a callback follows; each is checked.")
    callback_ca_file: Path | None = Field(
        None, description="Authorities (PEM) that receivers' certificates may come from beside the public ones."
    )
    callback_secret_hours: float = Field(
        24.0, gt=0, description="How long a secret that was replaced signs beside the new one, in hours."
    )
    callback_backoff_scale: float = Field(
        1.0, ge=0, description="Factor on the pauses between the tries of a callback; for tests."
    )
    sweep_seconds: float = Field(1.0, gt=0, description="Pause between two sweeps for lost work, in seconds.")
    tidy_seconds: float = Field(
        300.0, gt=0, description="Pause between two rounds that remove what is no longer kept, in seconds."
    )
    session_idle_minutes: float = Field(
        480.0, gt=0, description="Time without use after which a browser is signed out of the portal, in minutes."
    )
    session_hours: float = Field(
        168.0, gt=0, description="Time after which a browser is signed out of the portal, used or not, in hours."
    )
    one_time_password_hours: float = Field(
        72.0, gt=0, description="How long a password that was made for somebody is good to choose another, in hours."
    )
    trust_forwarded: bool = Field(
        False,  # noqa: FBT003 - the default
        description="Whether `X-Forwarded-Proto` is believed: right where a proxy that sets it is the only way in.",
    )
    trusted_proxies: str | None = Field(
        "127.0.0.0/8,::1",
        description="Networks of reverse proxies, as `10.0.0.0/8,fd00::/8`. Connections from them are not limited per "
        "address, and `X-Forwarded-For` names the client that they carry requests for.",
    )
    max_connections: int = Field(512, ge=1, description="Most connections of one web process.")
    max_connections_per_address: int = Field(
        100,
        ge=1,
        description="Most connections of one web process from one client address, and most requests under way of one "
        "client behind a trusted proxy.",
    )
    request_head_seconds: float = Field(
        15.0, gt=0, description="Time for a request's head to arrive on a new connection, in seconds."
    )
    body_grace_seconds: float = Field(
        30.0, gt=0, description="Time from which on a request body must have arrived at the least rate, in seconds."
    )
    min_body_bytes_per_second: float = Field(
        1024.0, gt=0, description="Least average rate at which a request body may arrive, in bytes per second."
    )
    web_threads: int = Field(
        40,
        ge=8,
        description="Threads of one web process for requests; uploads have threads of their own. Keep it above "
        "`NUMBERYARD_STORAGE_CALLS` + `NUMBERYARD_SHARE_WAITS`, so that neither can use up all of them.",
    )
    share_uploads: int = Field(8, ge=1, description="Most uploads and other large bodies of one web process at a time.")
    share_downloads: int = Field(8, ge=1, description="Most reports and exports that one web process sends at a time.")
    share_waits: int = Field(
        12, ge=1, description="Most requests of one web process that wait for a job or a workbook at a time."
    )
    share_passwords: int = Field(
        8, ge=1, description="Most requests of one web process at a time that hash a password, such as signing in."
    )
    share_readiness: int = Field(
        2,
        ge=1,
        description="Most requests for `/readyz` of one web process at a time that wait for the checks; others get the "
        "latest answer.",
    )
    workers: int = Field(2, ge=1, description="Worker processes that `numberyard up` starts.")
    metrics_token: SecretStr | None = Field(
        None,
        description="What `/metrics` is read with, as a bearer token, 16 characters or more. Unset: only on the same "
        "machine.",
    )
    faults_dir: Path | None = Field(
        None, description="For `make chaos` alone: the folder where it says which process is to die at which point."
    )
    log_level: str = Field("INFO", description="Least level that is logged.")

    @field_validator("callback_networks", "trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str | None) -> str | None:
        callback_urls.networks_of(value)
        return value

    @field_validator("redis_url")
    @classmethod
    def _has_no_tls_options(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse `ssl_` options: Celery and redis-py read them differently, and each could disable verification."""
        query = "" if value is None else urlsplit(value.get_secret_value()).query
        if any(name.startswith("ssl_") for name, _ in parse_qsl(query, keep_blank_values=True)):
            raise ValueError("no ssl_ options: certificates are always verified; see NUMBERYARD_REDIS_CA_FILE")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _is_no_guess(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse a weak token. An empty one means unset, because compose files cannot express that in another way."""
        if value is None or not value.get_secret_value():
            return None
        if len(value) < SHORTEST_TOKEN or not value.get_secret_value().isascii():
            raise ValueError(f"at least {SHORTEST_TOKEN} characters, ASCII only")
        return value

    @property
    def networks_for_callbacks(self) -> tuple[callback_urls.Network, ...]:
        """`callback_networks`, parsed."""
        return callback_urls.networks_of(self.callback_networks)

    @property
    def networks_of_proxies(self) -> tuple[callback_urls.Network, ...]:
        """`trusted_proxies`, parsed."""
        return callback_urls.networks_of(self.trusted_proxies)

    @property
    def most_storage_calls(self) -> int:
        """`storage_calls` or its default: a slot for each upload and download, and some for short reads."""
        return self.storage_calls or self.share_uploads + self.share_downloads + OTHER_CALLS

    @property
    def files_url(self) -> str:
        """`storage_url` or its default."""
        return self.storage_url or (self.data_dir.absolute() / "files").as_uri()


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process."""
    return Settings()
