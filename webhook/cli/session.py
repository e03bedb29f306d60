"""Where the service is and who is asking; and what a command says and which code it ends with when it is refused."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from webhook.cli import DEFAULT_URL
from webhook.cli.client import Api, Json, ProblemError, UnreachableError
from webhook.cli.console import emit, note, safe
from webhook.cli.exits import Ending, Exit, of_response


@dataclass(frozen=True)
class Session:
    """One command's connection. `spoken` is how the user named the service, to be repeated in hints."""

    api: Api
    as_json: bool
    spoken: str = ""

    def command(self, *words: str) -> str:
        """A command line the user can copy, for the same service."""
        return " ".join(("numberyard" + self.spoken, *words))


@dataclass(frozen=True)
class _Place:
    url: str
    token: str | None
    spoken: str = ""


class Failed(Ending):
    """A refusal on its way out: `code: detail` and the fix on stderr, with --json also the document on stdout."""

    def __init__(self, document: Json, code: Exit, *, as_json: bool) -> None:
        super().__init__(code)
        self.document = document
        self.as_json = as_json

    def show(self) -> None:
        if self.as_json:
            emit(self.document)
        show_problem(self.document)


def show_problem(document: Json) -> None:
    """A problem document (RFC 9457) in two lines at most, on stderr."""
    detail = document.get("detail") or document.get("title") or ""
    note(f"{safe(document.get('code'))}: {safe(detail)}")
    if document.get("fix"):
        note(f"  {safe(document['fix'])}")


_OPTIONS = (
    click.option("--url", metavar="URL", help="The service, as before the command."),
    click.option("--token", help="Your API token, as before the command."),
    click.option("--demo", type=click.Path(), metavar="DIR", help="Take URL and token from DIR/demo.json."),
    click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout; notes and bars stay on stderr."),
)


def talks(command: Callable[..., Exit]) -> Callable[..., Exit]:
    """Give a command the options --url, --token, --demo and --json, and a `Session` as its first argument."""

    def run(
        ctx: click.Context,
        url: str | None,
        token: str | None,
        demo: str | None,
        *,
        as_json: bool,
        **options: Any,  # noqa: ANN401 - the command's own, checked by click
    ) -> Exit:
        place = _place(ctx.find_root(), {"url": url, "token": token, "demo": demo})
        try:
            with Api(place.url, place.token) as api:
                return command(Session(api, as_json, place.spoken), **options)
        except ProblemError as problem:
            raise Failed(problem.document, of_response(problem.status), as_json=as_json) from problem
        except UnreachableError as error:
            document = {"code": "UNREACHABLE", "detail": str(error), "fix": "Is the service running? Check --url."}
            raise Failed(document, Exit.UNREACHABLE, as_json=as_json) from error

    made: Callable[..., Exit] = click.pass_context(run)
    for option in reversed(_OPTIONS):
        made = option(made)
    update_wrapper(made, command)
    return made


def _place(root: click.Context, own: dict[str, str | None]) -> _Place:
    """The command's options before the group's; what was typed before DIR/demo.json; the environment last."""
    typed = {
        name: own[name] or (root.params.get(name) if _was_typed(root, name) else None)
        for name in ("url", "token", "demo")
    }
    demo = _from_demo(Path(typed["demo"])) if typed["demo"] else {}
    url = typed["url"] or demo.get("url") or root.params.get("url") or DEFAULT_URL
    token = typed["token"] or demo.get("token") or root.params.get("token")
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"The URL must begin with http:// or https://: {safe(url)}")
    if token and not (token.isascii() and token.isprintable()):
        raise click.UsageError("The token holds characters that no token has.")
    spoken = "".join(f" --{name} {shlex.quote(typed[name] or '')}" for name in ("url", "demo") if typed[name])
    return _Place(url, token, spoken)


def _was_typed(root: click.Context, name: str) -> bool:
    return root.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _from_demo(folder: Path) -> dict[str, str]:
    """URL and the first reseller's token, as `numberyard up --demo` wrote them."""
    path = folder / "demo.json"
    try:
        demo = json.loads(path.read_text(encoding="utf-8"))
        reseller = next(account for account in demo["accounts"] if account["kind"] == "reseller")
        return {"url": str(demo["url"]), "token": str(reseller["token"])}
    except FileNotFoundError:
        raise click.UsageError(f"{path} is not there; `numberyard up --demo` writes it.") from None
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise click.UsageError(f"{path} is not what `numberyard up --demo` writes.") from error
