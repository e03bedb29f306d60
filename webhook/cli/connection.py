"""Finds the service URL and the token: options, `--demo`, a profile of the configuration file, the environment.

Options on the command line come first, then the environment, then the default profile.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from webhook.cli import DEFAULT_URL
from webhook.cli.config import DEFAULT_PROFILE, config_path, read_profile
from webhook.cli.terminal import safe

_NAMES = ("url", "token", "demo", "profile")
_NAMED = ("url", "demo", "profile", "config")  # repeated in suggested commands


@dataclass(frozen=True)
class Connection:
    """The service's URL and the token to send.

    `spoken`: the options with which the user named the service, for suggested commands; the token as `TOKEN`.
    `withheld`: why a token that was found is not sent; "" if none was withheld.
    """

    url: str
    token: str | None
    spoken: str = ""
    withheld: str = ""


@dataclass(frozen=True)
class _Source:
    url: str | None = None
    token: str | None = None
    profile: str = ""


def find_connection(root: click.Context, own: Mapping[str, str | None]) -> Connection:
    """Return the service that a command uses. Its own options (`own`) win over those before the command."""
    typed = {name: own.get(name) or typed_before(root, name) for name in _NAMES}
    if typed["demo"] and typed["profile"]:
        raise click.UsageError("--demo and --profile both name the service: use only one of them.")
    url = token = None
    withheld = ""
    for read_source in _sources(root, typed):
        if url and token:
            break
        source = read_source()
        url = url or source.url
        if source.token and not token:
            # A profile's token must not be sent to any other service.
            if source.profile and source.url and _bare(source.url) != _bare(url or ""):
                withheld = f"The token of profile {safe(source.profile)} was not sent: it is for {safe(source.url)}."
            else:
                token = source.token
    spoken = _spoken(typed | {"config": typed_before(root, "config")})
    return Connection(check_url(url or DEFAULT_URL), check_token(token), spoken, "" if token else withheld)


def typed_before(root: click.Context, name: str) -> str | None:
    """Return an option typed before the command; None if it comes only from the environment."""
    typed = root.get_parameter_source(name) is ParameterSource.COMMANDLINE
    return root.params.get(name) if typed else None


def check_url(url: str) -> str:
    """Return the URL without a trailing slash. `click.UsageError` if it is not a valid URL."""
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:  # the port is not a number, or a bracket is not closed
        is_whole = False
    if not is_whole:
        raise click.UsageError(f"The URL must begin with http:// or https:// and a host name: {safe(url)}")
    return url.rstrip("/")


def check_token(token: str | None) -> str | None:
    """Return the token. `click.UsageError` if it cannot be sent in a header."""
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise click.UsageError("The token contains invalid characters. Check that you copied it correctly.")
    return token or None


def _sources(root: click.Context, typed: Mapping[str, str | None]) -> list[Callable[[], _Source]]:
    """Return the sources of URL and token, highest priority first. Files are read only when needed."""
    path, usual = config_path(root.params.get("config")), root.params.get("profile")
    readers = [lambda: _Source(typed["url"], typed["token"])]
    if demo := typed["demo"]:
        readers.append(lambda: _from_demo(Path(demo)))
    if profile := typed["profile"]:
        readers.append(lambda: _from_profile(path, profile, is_named=True))
    readers.append(lambda: _Source(root.params.get("url"), root.params.get("token")))
    if not (demo or profile):
        readers.append(lambda: _from_profile(path, usual or DEFAULT_PROFILE, is_named=bool(usual)))
    return readers


def _from_profile(path: Path, name: str, *, is_named: bool) -> _Source:
    profile = read_profile(path, name, is_named=is_named)
    return _Source(profile.url, profile.token, name)


def _bare(url: str) -> str:
    return url.rstrip("/").casefold()


def _spoken(typed: Mapping[str, str | None]) -> str:
    words = "".join(f" --{name} {shlex.quote(typed[name] or '')}" for name in _NAMED if typed[name])
    return words + (" --token TOKEN" if typed["token"] else "")


def _from_demo(folder: Path) -> _Source:
    """Return the URL and the first reseller's token, as written by `numberyard up --demo`."""
    path = folder / "demo.json"
    try:
        demo = json.loads(path.read_text(encoding="utf-8"))
        reseller = next(account for account in demo["accounts"] if account["kind"] == "reseller")
        return _Source(str(demo["url"]), str(reseller["token"]))
    except FileNotFoundError:
        raise click.UsageError(f"{path} does not exist. `numberyard up --demo` creates it.") from None
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise click.UsageError(f"{path} is not a file written by `numberyard up --demo`.") from error
