"""A command's connection to the service, and the message and exit code of a refused request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import update_wrapper
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import click

from webhook.cli.client import Api, Json, ProblemError
from webhook.cli.connection import Connection, find_connection
from webhook.cli.connection_errors import UnreachableError
from webhook.cli.exit_codes import Ending, Exit, of_response
from webhook.cli.terminal import emit, note, safe


@dataclass(frozen=True)
class Session:
    """The connection of one command. `spoken`: the options that name the service, for suggested commands."""

    api: Api
    as_json: bool
    spoken: str = ""

    def command(self, *words: str) -> str:
        """Return a command line for the same service that the user can copy."""
        return " ".join(("numberyard" + self.spoken, *words))


class Failed(Ending):
    """Ends a command with a problem: `code: detail` and the fix on stderr, with --json also the document on stdout."""

    def __init__(self, document: Json, code: Exit, *, as_json: bool) -> None:
        super().__init__(code)
        self.document = document
        self.as_json = as_json

    def show(self) -> None:
        if self.as_json:
            emit(self.document)
        show_problem(self.document)


def show_problem(document: Json) -> None:
    """Print a problem document (RFC 9457) to stderr, in at most two lines."""
    detail = document.get("detail") or document.get("title") or ""
    note(f"{safe(document.get('code'))}: {safe(detail)}")
    if document.get("fix"):
        note(f"  {safe(document['fix'])}")


_OPTIONS = (
    click.option("--url", metavar="URL", help="URL of the service; see `numberyard --help`."),
    click.option("--token", metavar="TOKEN", help="Your API token."),
    click.option("--profile", metavar="NAME", help="Take URL and token from this profile of the configuration file."),
    click.option("--demo", type=click.Path(), metavar="DIR", help="Take URL and token from DIR/demo.json."),
    click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout; notes and progress go to stderr."),
)


def talks(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Add the options for the service and --json to a command, and pass it a `Session` as first argument."""

    def run(ctx: click.Context, *, as_json: bool, **options: Any) -> Exit:  # noqa: ANN401 - the command's own, checked by click
        own = {name: options.pop(name) for name in ("url", "token", "profile", "demo")}
        connection = find_connection(ctx.find_root(), own)
        with reporting_refusals(connection, as_json=as_json), Api(connection.url, connection.token) as api:
            return command(Session(api, as_json, connection.spoken), **options)

    wrapper: Callable[..., Exit] = click.pass_context(run)
    for option in reversed(_OPTIONS):
        wrapper = option(wrapper)
    update_wrapper(wrapper, command)
    return wrapper


@contextmanager
def reporting_refusals(connection: Connection, *, as_json: bool) -> Iterator[None]:
    """Turn errors of the service or of the connection into `Failed`."""
    try:
        yield
    except ProblemError as problem:
        document = problem.document
        if problem.status == HTTPStatus.UNAUTHORIZED:
            document = {**document, "fix": _not_signed_in(connection)}
        elif problem.status == HTTPStatus.NOT_FOUND and (path := urlsplit(connection.url).path):
            doubt = f"The URL ends in {safe(path)}: check whether the service is there or at the root of the host."
            document = {**document, "fix": f"{document.get('fix') or ''} {doubt}".strip()}
        raise Failed(document, of_response(problem.status), as_json=as_json) from problem
    except UnreachableError as error:
        document = {"code": "UNREACHABLE", "detail": str(error), "fix": error.fix}
        raise Failed(document, Exit.UNREACHABLE, as_json=as_json) from error


def _not_signed_in(connection: Connection) -> str:
    """Return the fix for a missing or wrong token. The service's own fix is about headers."""
    why = "The service did not accept this token." if connection.token else connection.withheld or "There is no token."
    return f"{why} Save one with `numberyard login`, or use NUMBERYARD_TOKEN, --token or --profile."
