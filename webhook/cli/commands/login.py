"""`numberyard login`: asks for URL and token, tests them, and saves them in the configuration file."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from webhook.cli import DEFAULT_URL
from webhook.cli.client import LOOPBACK, Api, Json
from webhook.cli.config import DEFAULT_PROFILE, Profile, config_path, profile_names, write_profile
from webhook.cli.connection import Connection, check_token, check_url, typed_before
from webhook.cli.exit_codes import Exit
from webhook.cli.output import json_option
from webhook.cli.session import reporting_refusals
from webhook.cli.terminal import at_home, emit, note, safe


@click.command()
@click.option("--url", metavar="URL", help="URL of the service. If missing, you are asked for it.")
@click.option("--profile", metavar="NAME", help=f"Profile to write.  [default: {DEFAULT_PROFILE}]")
@json_option
@click.pass_context
def login(ctx: click.Context, *, url: str | None, profile: str | None, as_json: bool) -> Exit:
    """Ask for the service's URL and your token, test them, and save them in the configuration file.

    The token is not shown while you type. Without a terminal it is read from stdin, and --url is required.
    Only you can read the file. A token that the service refuses is not saved.
    """
    root = ctx.find_root()
    if typed_before(root, "demo"):
        raise click.UsageError("--demo needs no login: use it with any command.")
    path = config_path(root.params.get("config"))
    profile_names(path)  # report an unreadable file before the user types anything
    name = profile or root.params.get("profile") or DEFAULT_PROFILE
    url = check_url(_ask_for_url(url or root.params.get("url")))
    if url.startswith("http://") and urlsplit(url).hostname not in LOOPBACK:
        note("Warning: http:// sends the token unencrypted. Use https:// if the service supports it.")
    token = check_token(typed_before(root, "token") or _ask_for_token())
    if not token:
        raise click.UsageError("A token is required. Create one with `numberyard tokens add` or `numberyard init`.")
    with reporting_refusals(Connection(url, token)), Api(url, token) as api:
        tenant = api.get("tenants", "me")
    path = write_profile(path, name, Profile(url, token))
    _show(name, url, tenant, path, as_json=as_json)
    return Exit.OK


def _is_person() -> bool:
    return sys.stdin.isatty()


def _ask_for_url(option: str | None) -> str:
    if option:
        return option
    if not _is_person():
        raise click.UsageError("Cannot ask for the URL (no terminal): add --url.")
    answer: str = click.prompt("URL of the service", default=DEFAULT_URL, err=True)
    return answer.strip()


def _ask_for_token() -> str:
    if not _is_person():
        return sys.stdin.readline().strip()
    answer: str = click.prompt("Your API token (not shown)", hide_input=True, err=True)
    return answer.strip()


def _show(name: str, url: str, tenant: Json, path: Path, *, as_json: bool) -> None:
    """Print who is signed in and where it is saved; never the token."""
    if as_json:
        who = {field: tenant.get(field) for field in ("id", "name", "kind")}
        emit({"profile": name, "url": url, "tenant": who, "path": str(path)})
        return
    note(f"Signed in as {safe(tenant.get('name'))} at {safe(url)}.")
    note(f"Saved in {at_home(path)} as profile {safe(name)}.")
    if name != DEFAULT_PROFILE:
        note(f"Use it with --profile {safe(name)}, or NUMBERYARD_PROFILE={safe(name)}.")
