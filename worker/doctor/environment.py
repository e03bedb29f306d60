"""Checks of the settings themselves. They connect to nothing, so every process makes them at its start."""

from __future__ import annotations

import difflib
import os
import re
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import ArgumentError

from worker.config import error_reports, extras
from worker.config.settings import MIB, PREFIX, SMTP_OPTIONAL, Settings, variable_of, wrong_values
from worker.database import address
from worker.database.engine import sqlalchemy_url
from worker.doctor.findings import Finding, Level, error, ok, warning

# Variables with the prefix that are no settings of the service: those of the command line and of compose.
OTHERS = frozenset({"URL", "TOKEN", "CONFIG", "PROFILE", "COMPLETE", "DB_PASSWORD", "REDIS_PASSWORD", "PORT"})
# Kubernetes gives every pod such variables for a Service whose name begins with "numberyard".
_OF_KUBERNETES = re.compile(
    rf"{PREFIX}(?:\w+_)?(?:SERVICE_(?:HOST|PORT)(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
_CERTIFICATE, _KEY = "certificate", "private key"
_PEM = {_CERTIFICATE: rb"-----BEGIN CERTIFICATE-----", _KEY: rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"}
_SYSTEM = "system"  # libpq's word for the public authorities, in place of a file
OTLP_HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
_HEADER = re.compile(r"[\w!#$%&'*+.^`|~-]+[ \t]*=[\x20\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
LEAST_FREE = 1024 * MIB
FILES_OF_A_PROCESS = 256  # besides its connections
log = structlog.get_logger(__name__)


def unknown(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield each variable that no setting has: an error with the name that is most like it, else a warning."""
    known = {variable_of(name) for name in Settings.model_fields}
    others = {f"{PREFIX}{name}" for name in OTHERS}
    for name in sorted(name for name in environment if name.upper().startswith(PREFIX)):
        is_address = environment[name].startswith(("tcp://", "udp://", "sctp://"))
        if name.upper() in known | others or is_address or _OF_KUBERNETES.fullmatch(name.upper()):
            continue
        detail = "There is no such setting, so it has no effect."
        if near := difflib.get_close_matches(name.upper(), known, 1, 0.75):
            yield error(name, detail, f"Write {near[0]}.")
        else:
            yield warning(name, detail, "Remove it, or see the list of settings.")


def invalid(failure: ValidationError) -> Iterator[Finding]:
    """Yield an error for each setting with a wrong value, without the value."""
    for name, message in wrong_values(failure):
        yield error(name, message, "See the list of settings.")


def loaded() -> tuple[Settings | None, list[Finding]]:
    """Return the settings of the environment, and what is wrong with them; no settings if they cannot be used."""
    found = list(unknown(os.environ))
    try:
        return Settings(), found
    except ValidationError as failure:
        return None, [*found, *invalid(failure)]


def log_at_start() -> None:
    """Log what is wrong with the settings of this process: one line each.

    The servers are checked all the time, by `/readyz` and by the work itself.
    """
    settings, found = loaded()
    for finding in (*found, *([] if settings is None else offline(settings))):
        if finding.level is not Level.OK:
            log.warning("configuration", subject=finding.subject, detail=finding.detail, fix=finding.fix)


def offline(settings: Settings) -> Iterator[Finding]:
    """Yield what is found without connecting to anything."""
    yield from _files(settings)
    yield from _mail(settings)
    yield from _limits(settings)
    yield from _extras(settings)
    yield _folder("temporary folder", _temporary, "Set TMPDIR to another folder.")


def _temporary() -> Path:
    return Path(tempfile.gettempdir())


def _files(settings: Settings) -> Iterator[Finding]:
    for subject, value, kind in _tls_files(settings):
        try:
            text = Path(value).read_bytes()
        except OSError as failure:
            yield error(subject, f"{value} can't be read: {failure.strerror}.", "Correct the path or its permissions.")
            continue
        if not re.search(_PEM[kind], text):
            yield error(subject, f"{value} has no {kind}.", "Use a file in PEM format.")


def _tls_files(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield the files of certificates and keys: the setting, the path, and what has to be in it."""
    for name, value in _set(settings).items():
        if name.endswith(("_ca_file", "_cert_file", "_key_file")):
            yield f"{PREFIX}{name.upper()}", str(value), _KEY if name.endswith("_key_file") else _CERTIFICATE
    try:
        arguments = {} if settings.database_url is None else address.driver_arguments(sqlalchemy_url(settings))
    except ArgumentError:
        return  # the check of the database names this
    for name, kind in (("sslrootcert", _CERTIFICATE), ("sslcert", _CERTIFICATE), ("sslkey", _KEY)):
        if (path := str(arguments.get(name, _SYSTEM))) != _SYSTEM:
            yield f"{PREFIX}DATABASE_URL", path, kind


def _mail(settings: Settings) -> Iterator[Finding]:
    some = {f"smtp_{name}" for name in SMTP_OPTIONAL} & set(_set(settings))
    if settings.offers_mail or not some:
        return
    needed = ("smtp_host", "smtp_sender", "public_url")
    missing = [f"{PREFIX}{name.upper()}" for name in needed if getattr(settings, name) is None]
    yield warning("e-mail", f"None are sent: {' and '.join(missing)} missing.", "Set it, or remove the others.")


def _limits(settings: Settings) -> Iterator[Finding]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.max_connections + FILES_OF_A_PROCESS
    if soft != resource.RLIM_INFINITY and soft < needed:
        yield warning(
            "open files",
            f"A process may open {soft} files, and a web process with all its connections needs {needed}.",
            f"Raise the limit (ulimit -n, LimitNOFILE) or lower {PREFIX}MAX_CONNECTIONS.",
        )
    calls, waits = settings.most_storage_calls, settings.share_waits
    if settings.web_threads <= calls + waits:
        yield warning(
            f"{PREFIX}WEB_THREADS",
            f"{settings.web_threads} threads can all be occupied by {calls} calls of the storage and {waits} waits.",
            f"Set it to more than {calls + waits}.",
        )


def _extras(settings: Settings) -> Iterator[Finding]:
    """Yield whether the packages are installed that a setting needs."""
    needed = {"otlp_endpoint": ("tracing", "No traces are sent"), "sentry_dsn": ("sentry", "No errors are reported")}
    for name, (extra, effect) in needed.items():
        if (value := getattr(settings, name)) is None:
            continue
        subject, missing = variable_of(name), extras.missing(extra)
        if missing:
            yield warning(
                subject,
                f"{effect}: the package {missing} is not installed.",
                f"Install the extra: pip install 'numberyard[{extra}]'.",
            )
        elif name == "sentry_dsn" and not error_reports.is_dsn(value.get_secret_value()):
            yield error(subject, f"{effect}: it is no DSN.", "Copy the DSN from the project's settings in Sentry.")
        else:
            yield ok(subject, f"The extra {extra} is installed.")
    yield from _otlp_headers(settings, os.environ)


def _otlp_headers(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a warning for headers that OpenTelemetry would ignore, without the value, which is often a token."""
    for name in OTLP_HEADERS if settings.otlp_endpoint is not None else ():
        parts = filter(None, (part.strip() for part in environment.get(name, "").split(",")))
        if not all(_HEADER.fullmatch(part) for part in parts):
            yield warning(
                name, "A part of it is ignored: it is no header.", "Write name=value,name=value, URL-encoded."
            )


def _folder(subject: str, find: Callable[[], Path], fix: str) -> Finding:
    """Return whether files can be written in a folder, and how much space it has."""
    try:
        folder = find().absolute()
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        if not os.access(existing, os.W_OK):
            return error(subject, f"{existing} can't be written.", "Correct its owner or permissions.")
        free = shutil.disk_usage(existing).free
    except OSError as failure:
        return error(subject, f"It can't be used: {failure.strerror}.", fix)
    detail = f"{existing} has {free // MIB:,} MiB free."
    return warning(subject, detail, fix) if free < LEAST_FREE else ok(subject, detail)


def data_folder(settings: Settings) -> Iterator[Finding]:
    """Yield whether the folders of the service's files and of embedded servers have space."""
    fix = "Free space, or use another folder."
    if None in {settings.database_url, settings.redis_url, settings.storage_url}:
        yield _folder(f"{PREFIX}DATA_DIR", lambda: settings.data_dir, fix)
    if settings.storage_url is not None and settings.storage_url.startswith("file:"):
        yield _folder(f"{PREFIX}STORAGE_URL", lambda: Path(unquote(urlsplit(settings.files_url).path)), fix)


def _set(settings: Settings) -> dict[str, Any]:
    """Return the settings that are not unset."""
    return {name: value for name in Settings.model_fields if (value := getattr(settings, name)) is not None}
