"""Shows how a command ended: text for people, with --json one problem document (RFC 9457) on stderr."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

from webhook.cli.exit_codes import Ending, Exit, Failed
from webhook.cli.output import Format
from webhook.cli.terminal import HAS_RESULT, emit, safe, silence

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_OF_STREAMS = DISK_FULL | {errno.EIO, errno.EBADF, errno.EINVAL, errno.ENXIO}


class CutOffError(Exception):
    """The reader of the output closed it (EPIPE)."""


def code_of(run: Callable[[], int], machine: Format | None) -> int:
    """Run a command. Show any exception as a line or two, or as JSON in a `machine` format. Returns the exit code."""
    try:
        return _code_of(run, machine)
    except (BrokenPipeError, CutOffError):
        # The reader of stdout, or of stderr, closed the pipe: nothing more can be written.
        silence(sys.stdout, sys.stderr)
        return Exit.CUT_OFF


def _code_of(run: Callable[[], int], machine: Format | None) -> int:
    try:
        return run()
    except (BrokenPipeError, CutOffError):
        raise
    except Ending as ending:
        _show_ending(ending, machine)
        return ending.code
    except click.ClickException as error:
        if machine is None:
            error.show()
        else:
            _write(_of_usage(error))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _show({"code": "INTERRUPTED", "detail": "Stopped."}, machine, text="Stopped.")
        return Exit.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last handler: users get one line, never a traceback
        return _unexpected(error, machine)


def write_problem(document: Mapping[str, Any]) -> None:
    """Print a problem document to stderr for people, in at most two lines."""
    detail = document.get("detail") or document.get("title") or ""
    click.echo(f"{safe(document.get('code'))}: {safe(detail)}", err=True)
    if document.get("fix"):
        click.echo(f"  {safe(document['fix'])}", err=True)


def cannot_write(error: OSError, what: str) -> Failed:
    """Return the ending for output that cannot be written. `what`: the path, or the name of the stream."""
    if error.errno in DISK_FULL:
        detail = f"The disk is full: {safe(what)} was not saved."
        fix = "Free some space, or write to another disk."
        return Failed({"code": "DISK_FULL", "detail": detail, "fix": fix, "path": what}, Exit.USAGE)
    detail = f"Cannot write {safe(what)}: {error.strerror or error}."
    fix = "Check that its folder exists and that you may write there."
    return Failed({"code": "CANNOT_WRITE", "detail": detail, "fix": fix, "path": what}, Exit.USAGE)


def _show_ending(ending: Ending, machine: Format | None) -> None:
    if ending.document is None:
        return
    if isinstance(ending, Failed) and machine is Format.JSON and not HAS_RESULT.get():
        emit(dict(ending.document))  # the one document of --json, as on success
    if machine is not None:
        _write(ending.document)
    elif not ending.is_shown:
        write_problem(ending.document)


def _unexpected(error: Exception, machine: Format | None) -> int:
    if isinstance(error, OSError) and error.errno in _OF_STREAMS and error.filename is None:
        # Files name themselves, so that this is a standard stream.
        problem = {**(cannot_write(error, "stdout").document or {}), "detail": _incomplete(error)}
        silence(sys.stdout)
        _show(problem, machine)
        return Exit.USAGE
    from worker.config.settings import SettingsError  # noqa: PLC0415 - slow, and no client command needs it

    if isinstance(error, SettingsError):
        _show({"code": "WRONG_SETTINGS", "detail": str(error)}, machine, text=str(error))
        return Exit.USAGE
    document = {"code": "INTERNAL_ERROR", "detail": f"{type(error).__name__}: {error}"}
    _show(document, machine)
    return Exit.UNEXPECTED


def _incomplete(error: OSError) -> str:
    reason = "The disk is full" if error.errno in DISK_FULL else f"Cannot write ({error.strerror})"
    return f"{reason}: stdout is not complete."


def _show(document: Mapping[str, Any], machine: Format | None, text: str | None = None) -> None:
    if machine is not None:
        _write(document)
    elif text is not None:
        click.echo(text, err=True)
    else:
        write_problem(document)


def _write(document: Mapping[str, Any]) -> None:
    click.echo(json.dumps(dict(document)), err=True)


def _of_usage(error: click.ClickException) -> dict[str, Any]:
    """Return wrong usage of a command as a problem document."""
    document: dict[str, Any] = {"code": "WRONG_USAGE", "detail": error.format_message()}
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.BadParameter) and (error.param_hint or error.param):
        hint = error.param_hint or (error.param.get_error_hint(context) if error.param and context else None)
        document["field"] = (hint if isinstance(hint, str) else " / ".join(hint or ())).strip("'")
    if context is not None:
        document["fix"] = f"See `{context.command_path} --help`."
    return document
