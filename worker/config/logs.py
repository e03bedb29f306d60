"""Logging: one JSON object per line on standard error, from this code and from every library.

Each line has `timestamp`, `level`, `event`, `logger`, `process` and `pid`, then what is bound to the request or the
work item, then the event's own fields. A line has at most `LONGEST_LINE` bytes, so that lines of several processes on
one pipe do not mix. Secrets are replaced in every text, and a reader that stops delays nothing (`secret_filter`,
`log_stream`); docs/guides/logs-and-traces.md describes the events.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from worker.config import error_reports, log_stream, secret_filter, tracing
from worker.config.errors import described, reason_of
from worker.config.settings import Settings, SettingsError, get_settings

LONGEST_LINE = 4096  # bytes: PIPE_BUF of Linux, up to which a write to a pipe is not mixed with others
LONGEST_TEXT = 1000  # characters of a field
LONGEST_EXCEPTION = 3000
LONGEST_SHORTENED = 120  # characters of a field in a line that would be too long
MOST_MEMBERS = 20  # of a list or an object in a field
BOOT_ERROR = 3  # the exit code with which gunicorn's processes end, so that gunicorn ends, too
FIRST = ("timestamp", "level", "event", "logger", "process", "pid")
# Chatty at INFO: two lines for every rescue round; responses of external servers.
_QUIET = ("celery.app.trace", "celery.worker.strategy", "celery.beat", "httpcore", "httpx", "alembic")
_LIMITS = {"exception": LONGEST_EXCEPTION}
_process = "command"


class Handler(logging.StreamHandler[Any]):
    """A handler that writes to standard error, and a line of its own if a record cannot be formatted."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - a text stream, or one of `log_stream`
        super().__init__(log_stream.bounded(stream))
        if isinstance(self.stream, log_stream.BoundedStream):
            self.stream.note = self._note_of_dropped

    def _note_of_dropped(self, count: int) -> str:
        fields = {"event": "log_lines_dropped", "logger": __name__, "count": count}
        return _line({"timestamp": _now(), "level": "warning", **fields}) + self.terminator

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name in logging
        """Log that a record was lost; not at all if standard error is closed."""
        error = sys.exc_info()[1]
        lost = {"event": "log_failed", "logger": record.name, "error": type(error).__name__}
        with suppress(OSError, ValueError):
            self.stream.write(_line({"timestamp": _now(), "level": "error", **lost}) + self.terminator)
            self.flush()


def _now() -> str:
    return datetime.now(UTC).isoformat()


class Formatter(logging.Formatter):
    """The formatter of all lines. structlog's own copies each record, which takes as long as all the rest."""

    def __init__(self, shared: Sequence[Processor]) -> None:
        super().__init__()
        self._shared = shared

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of an event of structlog, or of a library's record."""
        if isinstance(record.msg, dict):
            return _render(dict(record.msg))
        fields: Any = {"event": record.getMessage(), "exc_info": record.exc_info, "_record": record}
        for process in self._shared:
            fields = process(None, record.levelname.lower(), fields)
        del fields["_record"]
        return _render(fields)


def configure(process: str | None = None) -> None:
    """Configure the process's logging, for structlog and for libraries that use the standard module.

    `process`: the role of a process of the service, such as `web`. Then warnings and uncaught exceptions are logged,
    too, and the lines of loggers without a handler.
    """
    settings = _settings()
    secret_filter.configure(settings)
    handler = Handler(sys.stderr)
    handler.setFormatter(Formatter([*_SHARED, _add_source]))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel("INFO" if settings is None else settings.log_level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    if process is not None:
        _log_everything(process, handler)


def _log_everything(process: str, handler: Handler) -> None:
    global _process  # noqa: PLW0603 - logging is the process's own
    _process = process
    # What records have besides: the calling line, thread and process. To find these takes as long as the line itself.
    logging._srcfile = None  # noqa: SLF001 - as the documentation of logging describes
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.lastResort = handler  # of loggers that have no handler and do not propagate
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_last
    threading.excepthook = lambda failure: _log_uncaught(
        failure.exc_type, failure.exc_value, failure.exc_traceback, failure.thread
    )
    sys.unraisablehook = lambda failure: _log_uncaught(failure.exc_type, failure.exc_value, failure.exc_traceback)


def cannot_start(error: Exception) -> SystemExit:
    """Log why the process cannot start, one line for each reason; return the exception that ends it."""
    configure()
    log = structlog.get_logger(__name__)
    if type(error) not in {SettingsError, LookupError}:  # whose messages are written for this
        log.critical("cannot_start", reason=reason_of(error), exc_info=error)
        error_reports.report(error)
        return SystemExit(BOOT_ERROR)
    for reason in str(error).splitlines():
        log.critical("cannot_start", reason=reason)
    return SystemExit(1)


def _settings() -> Settings | None:
    try:
        return get_settings()
    except SettingsError:
        return None


def _add_trace(_logger: Any, _method: str, fields: EventDict) -> EventDict:  # noqa: ANN401 - structlog's own
    """Add the ids of the running span, if tracing is on."""
    fields.update(tracing.ids())
    return fields


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _add_trace,
]
# The same list after each call of `configure`: loggers that have been used keep the one of then.
_PROCESSORS: list[Processor] = [
    structlog.stdlib.filter_by_level,
    *_SHARED,
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]


def _add_source(_logger: Any, _method: str, fields: EventDict) -> EventDict:  # noqa: ANN401 - structlog's own
    """Name the logger of a library's record; keep the first line of a warning, and of a text with an exception."""
    record: logging.LogRecord = fields["_record"]
    fields["logger"] = record.name
    if record.name == "py.warnings" or record.exc_info:
        fields["event"] = fields["event"].partition("\n")[0]
    return fields


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None, thread: object = None
) -> None:
    if issubclass(kind, SystemExit | KeyboardInterrupt) or error is None:
        return
    name = thread.name if isinstance(thread, threading.Thread) else None
    structlog.get_logger(__name__).critical("uncaught", exc_info=(kind, error, trace), thread=name)
    error_reports.report(error)


def _log_last(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log what ends the process, which does not always run its exit handlers."""
    _log_uncaught(kind, error, trace)
    error_reports.stop()


def _render(fields: EventDict) -> str:
    """Return the line."""
    exception = fields.pop("exc_info", None)
    error = exception[1] if isinstance(exception, tuple) else exception
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        fields["exception"] = described(error)
    fields.pop("stack_info", None)
    return _line(fields)


def _line(fields: Mapping[str, Any]) -> str:
    """Return the fields as one line of JSON, bounded and without secrets; the required ones first."""
    known = {"process": _process, "pid": os.getpid(), **fields}
    ordered = {name: known.pop(name) for name in FIRST if name in known} | known
    line, bounded = _dumped(ordered, _plain)
    if secret_filter.may_have_secrets(line):
        line, bounded = _dumped(ordered, _without_secrets)
    return line if len(line) < LONGEST_LINE else _shortened(bounded)


def _dumped(fields: Mapping[str, Any], clean: Callable[[str, int], str]) -> tuple[str, dict[str, Any]]:
    bounded = {name: _bounded(value, _LIMITS.get(name, LONGEST_TEXT), clean) for name, value in fields.items()}
    return json.dumps(bounded), bounded


def _shortened(fields: dict[str, Any]) -> str:
    """Return a line that is too long with shorter fields, and as much of the exception as it has room for."""
    exception = str(fields.pop("exception", ""))
    short: dict[str, Any] = {}
    for name, value in fields.items():
        kept = value if len(json.dumps(value)) <= LONGEST_SHORTENED else _cut(str(value), LONGEST_SHORTENED)
        if len(json.dumps(short | {name: kept})) < LONGEST_LINE // 2:
            short[name] = kept
    short["is_shortened"] = True
    while exception and len(json.dumps(short | {"exception": exception})) >= LONGEST_LINE:
        exception = exception[: len(exception) * 3 // 4]
    return json.dumps(short | ({"exception": exception} if exception else {}))


def _bounded(value: Any, limit: int, clean: Callable[[str, int], str], depth: int = 3) -> Any:  # noqa: ANN401 - any value, as JSON
    """Return a value as JSON can hold it: texts cleaned and cut, numbers finite, few members."""
    if isinstance(value, str):
        return clean(value, limit)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping) and depth:
        items = list(value.items())[:MOST_MEMBERS]
        return {
            clean(str(name), LONGEST_SHORTENED): secret_filter.HIDDEN
            if secret_filter.is_secret(str(name))
            else _bounded(each, limit, clean, depth - 1)
            for name, each in items
        }
    if isinstance(value, list | tuple | set | frozenset) and depth:
        return [_bounded(each, limit, clean, depth - 1) for each in list(value)[:MOST_MEMBERS]]
    return clean(str(value), limit)


def _plain(text: str, limit: int) -> str:
    """Return a text that fits as it is. One that has to be cut could lose what marks a secret."""
    return text if len(text) <= limit and text.isascii() else _without_secrets(text, limit)


def _without_secrets(text: str, limit: int) -> str:
    valid = text.encode("utf-8", "backslashreplace").decode()  # without lone surrogates
    return _cut(secret_filter.cleaned(valid), limit)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
