"""The exit codes of every command, and the words for them in `--help`."""

from __future__ import annotations

from enum import IntEnum
from http import HTTPStatus


class Exit(IntEnum):
    """How a command ended; programs may rely on the values."""

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
    INTERRUPTED = 130
    CUT_OFF = 141


MEANINGS: dict[Exit, str] = {
    Exit.OK: "done",
    Exit.UNEXPECTED: "something went wrong on our side",
    Exit.USAGE: "the command was given wrongly",
    Exit.PARTLY_FAILED: "the job is done, some rows failed",
    Exit.JOB_FAILED: "the job failed",
    Exit.CANCELLED: "the job was cancelled, or the question answered with no",
    Exit.NOT_ALLOWED: "not signed in, or not allowed",
    Exit.NOT_FOUND: "there is no such thing",
    Exit.UNREACHABLE: "the service cannot be reached",
    Exit.REFUSED: "the service refused the request; the reason is printed",
    Exit.INTERRUPTED: "stopped by Ctrl-C; a job that was queued goes on",
    Exit.CUT_OFF: "whoever read the output stopped reading, such as `| head`",
}


class Ending(Exception):  # noqa: N818 - a command's end, not always an error
    """Ends a command with `code`, after it has said why."""

    def __init__(self, code: Exit) -> None:
        super().__init__(code.name)
        self.code = code

    def show(self) -> None:
        """Say why; nothing by default, when it was said already."""


_OF_STATUS = {
    "completed_with_errors": Exit.PARTLY_FAILED,
    "failed": Exit.JOB_FAILED,
    "cancelled": Exit.CANCELLED,
}


def of_job(status: str) -> Exit:
    """The exit code for a job that ended with `status`."""
    return _OF_STATUS.get(status, Exit.OK)


def of_response(status: int) -> Exit:
    """The exit code for a refusal with this HTTP status."""
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Exit.NOT_ALLOWED
    if status == HTTPStatus.NOT_FOUND:
        return Exit.NOT_FOUND
    return Exit.REFUSED if status < HTTPStatus.INTERNAL_SERVER_ERROR else Exit.UNEXPECTED
