"""The exit codes of all commands, and their descriptions in `--help`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from http import HTTPStatus
from typing import Any


class Exit(IntEnum):
    """The exit code of a command; programs may rely on the values."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    PARTLY_FAILED = 3
    JOB_FAILED = 4
    CANCELLED = 5
    NOT_ALLOWED = 6
    NOT_FOUND = 7
    UNREACHABLE = 8
    REFUSED = 9
    FAULTY = 10
    INTERRUPTED = 130
    CUT_OFF = 141


MEANINGS: dict[Exit, str] = {
    Exit.OK: "done",
    Exit.UNEXPECTED: "something went wrong on our side",
    Exit.USAGE: "wrong usage of the command, or its output cannot be written",
    Exit.PARTLY_FAILED: "the job is done, but some rows failed",
    Exit.JOB_FAILED: "the job failed",
    Exit.CANCELLED: "the job was cancelled, or you answered no before it was sent",
    Exit.NOT_ALLOWED: "not signed in, or not allowed",
    Exit.NOT_FOUND: "not found",
    Exit.UNREACHABLE: "the service cannot be reached",
    Exit.REFUSED: "the service refused the request; the reason is printed",
    Exit.FAULTY: "`doctor` or `verify` found an error",
    Exit.INTERRUPTED: "stopped by Ctrl-C; a queued job continues",
    Exit.CUT_OFF: "the reader of the output closed it, such as `| head`",
}


class Ending(Exception):  # noqa: N818 - a command's end, not always an error
    """Ends a command with the exit code `code`.

    `document`: the reason as a problem document (RFC 9457). `is_shown`: people have already read it.
    """

    def __init__(self, code: Exit, document: Mapping[str, Any] | None = None, *, is_shown: bool = True) -> None:
        super().__init__(code.name)
        self.code = code
        self.document = document
        self.is_shown = is_shown


class Failed(Ending):
    """Ends a command with a problem that is not shown yet."""

    def __init__(self, document: Mapping[str, Any], code: Exit) -> None:
        super().__init__(code, document, is_shown=False)


_OF_STATUS = {
    "completed_with_errors": Exit.PARTLY_FAILED,
    "failed": Exit.JOB_FAILED,
    "cancelled": Exit.CANCELLED,
}


def of_job(status: str) -> Exit:
    """Return the exit code for a job that ended with `status`."""
    return _OF_STATUS.get(status, Exit.OK)


def of_response(status: int) -> Exit:
    """Return the exit code for an error response with this HTTP status."""
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Exit.NOT_ALLOWED
    if status == HTTPStatus.NOT_FOUND:
        return Exit.NOT_FOUND
    return Exit.REFUSED if status < HTTPStatus.INTERNAL_SERVER_ERROR else Exit.UNEXPECTED
