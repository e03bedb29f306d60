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
from webhook.cli.exit_codes import Exit, Failed, of_response
from webhook.cli.fields import selected
from webhook.cli.output import AS_TEXT, Output, output_of, result_options
from webhook.cli.terminal import emit, safe


@dataclass(frozen=True)
class Session:
    """The connection of one command. `spoken`: the options that name the service, for suggested commands."""

    api: Api
    output: Output = AS_TEXT
    spoken: str = ""

    @property
    def as_json(self) -> bool:
        """Return whether the result is written as JSON."""
        return self.output.is_json

    def emit(self, document: Json) -> None:
        """Write one result as JSON, with the fields that the user selected."""
        emit(selected(document, self.output.fields))

    def command(self, *words: str) -> str:
        """Return a command line for the same service that the user can copy."""
        return " ".join(("numberyard" + self.spoken, *words))


_OPTIONS = (
    click.option("--url", metavar="URL", help="URL of the service; see `numberyard --help`."),
    click.option("--token", metavar="TOKEN", help="Your API token."),
    click.option("--profile", metavar="NAME", help="Take URL and token from this profile of the configuration file."),
    click.option("--demo", type=click.Path(), metavar="DIR", help="Take URL and token from DIR/demo.json."),
)


def talks(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Add the options for service and output to a command, and pass it a `Session` as first argument."""

    def run(ctx: click.Context, **options: Any) -> Exit:  # noqa: ANN401 - the command's own, checked by click
        output = output_of(**{name: options.pop(name) for name in ("as_json", "output_format", "fields", "no_header")})
        own = {name: options.pop(name) for name in ("url", "token", "profile", "demo")}
        connection = find_connection(ctx.find_root(), own)
        unsigned = _without_token(connection)
        with reporting_refusals(connection), Api(connection.url, connection.token, unsigned=unsigned) as api:
            return command(Session(api, output, connection.spoken), **options)

    wrapper: Callable[..., Exit] = result_options(click.pass_context(run))
    for option in reversed(_OPTIONS):
        wrapper = option(wrapper)
    update_wrapper(wrapper, command)
    return wrapper


@contextmanager
def reporting_refusals(connection: Connection) -> Iterator[None]:
    """Turn errors of the service or of the connection into `Failed`."""
    try:
        yield
    except ProblemError as problem:
        document = problem.document
        if problem.status == HTTPStatus.UNAUTHORIZED:
            document = {**document, "fix": _not_signed_in()}
        elif problem.status == HTTPStatus.NOT_FOUND and (path := urlsplit(connection.url).path):
            doubt = f"The URL ends in {safe(path)}: check whether the service is there or at the root of the host."
            document = {**document, "fix": f"{document.get('fix') or ''} {doubt}".strip()}
        raise Failed(document, of_response(problem.status)) from problem
    except UnreachableError as error:
        document = {"code": "UNREACHABLE", "detail": str(error), "fix": error.fix}
        raise Failed(document, Exit.UNREACHABLE) from error


def _without_token(connection: Connection) -> Failed:
    """Return the ending for a request without a token, in one line. Nothing is sent."""
    why = connection.withheld or "You are not signed in."
    detail = f'{why} Run "numberyard login", or set NUMBERYARD_URL and NUMBERYARD_TOKEN.'
    return Failed({"code": "NOT_SIGNED_IN", "detail": detail}, Exit.NOT_ALLOWED)


def _not_signed_in() -> str:
    """Return the fix for a wrong token. The service's own fix is about headers."""
    return (
        "The service did not accept this token. Save one with `numberyard login`, or use NUMBERYARD_TOKEN, "
        "--token or --profile."
    )
