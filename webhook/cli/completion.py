"""The values that a shell completes through the API: IDs of recent jobs; names of tenants, carriers and profiles.

There is one second for them. What is not available by then, or not allowed, is not completed, without any message.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, add_completion_class

from schemas.name_matching import fold
from webhook.cli.client import Api, Json
from webhook.cli.connection import find_connection
from webhook.cli.terminal import safe

_JOBS, _NAMES = 20, 200  # entries that are requested: a page
_SECONDS = 1.0
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

# Unlike click's: names with spaces are quoted, and * stays as it is. Names are chosen by other tenants: within a quote
# that the user has opened, those that the shell would expand are left out.
_BASH = """\
%(complete_func)s() {
    local type value
    while IFS=, read -r type value; do
        if [[ $type == dir ]]; then
            compopt -o dirnames
        elif [[ $type == file ]]; then
            compopt -o default
        elif [[ $type == plain ]]; then
            case ${COMP_WORDS[COMP_CWORD]} in
                \\"*) [[ $value == *[\\"\\$\\`\\!\\\\]* ]] && continue;;
                \\'*) [[ $value == *[\\'\\!]* ]] && continue;;
                *[\\"\\']*) continue;;
                *) printf -v value %%q "$value";;
            esac
            COMPREPLY+=("$value")
        fi
    done < <(
        IFS=$'\\n'
        env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" %(complete_var)s=bash_complete "$1"
    )
    return 0
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


class _Bash(BashComplete):
    source_template = _BASH


class _Fish(FishComplete):
    # A name may contain commas.
    source_template = FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')


def register() -> None:
    """Make click use these scripts."""
    add_completion_class(_Bash)
    add_completion_class(_Fish)


def _completer(path: str, most: int, item: Callable[[Json], CompletionItem], service: str | None = None) -> Completer:
    def complete(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        entries = _entries(ctx, path, most)
        items = [item(entry) for entry in entries if service is None or entry.get("service") == service]
        return [candidate for candidate in items if fold(str(candidate.value)).startswith(fold(incomplete))]

    return complete


def _entries(ctx: click.Context, path: str, most: int) -> list[Json]:
    """Return the first entries of a list; none if they do not arrive in time."""
    entries: list[Json] = []

    def request() -> None:
        try:
            own = {name: ctx.params.get(name) for name in ("url", "token", "profile", "demo")}
            connection = find_connection(ctx.find_root(), own)
            if connection.token:
                with Api(connection.url, connection.token, patience=_SECONDS) as api:
                    entries.extend(api.pages(path, {}, most)["data"])
        except Exception:  # noqa: BLE001, S110 - a shell would show it in the middle of the line
            pass

    # A thread, because each phase of a request has a timeout of its own.
    thread = threading.Thread(target=request, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return list(entries)


def _named(entry: Json) -> CompletionItem:
    return CompletionItem(safe(entry.get("name")), help=safe(entry.get("kind") or entry.get("service")) or None)


recent_jobs = _completer(
    "/v1/jobs",
    _JOBS,
    lambda job: CompletionItem(safe(job.get("id")), help=f"{safe(job.get('kind'))} {safe(job.get('status'))}"),
)
tenant_names = _completer("/v1/tenants", _NAMES, _named)
carrier_names = _completer("/v1/carriers", _NAMES, _named)
voice_carrier_names = _completer("/v1/carriers", _NAMES, _named, "voice")
sms_carrier_names = _completer("/v1/carriers", _NAMES, _named, "sms")
profile_names = _completer("/v1/import-profiles", _NAMES, _named)
user_names = _completer(
    "/v1/users", _NAMES, lambda user: CompletionItem(safe(user.get("email")), help=safe(user.get("name")))
)
