"""Write docs/reference from the code: codes, settings, metrics, commands, columns, permissions.

`python -m tests.contract.doc_tables` names pages that are not current (exit code 1); `--write` writes them whole.
The text around the tables is in `tests.contract.reference_pages`.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import click
from pydantic_core import PydanticUndefined

from schemas.codes import ALSO_FILE_CODES, CATALOGUE, Code, Family
from schemas.columns import CORRECTIONS_COLUMN, REPORT_COLUMNS, SPECS
from schemas.http.callbacks import RESULTS
from schemas.metrics import METRICS
from schemas.request_problems import REQUEST_PROBLEMS
from schemas.roles import ROLE_TEXTS, SCOPE_TEXTS
from tests.contract.reference_pages import GENERATED, PAGES
from tests.contract.retained import BOUNDS, FILES, KEYS, OTHER_FILES, Bound
from tests.support.permission_matrix import (
    ACTORS,
    CODES,
    EVERY_SCOPE,
    MATRIX,
    NEEDED,
    ROLES,
    STATES,
    Action,
    includes,
)
from webhook.cli import main as command_line
from webhook.cli.exit_codes import MEANINGS
from worker.config.settings import Settings, variable_of

ROOT = Path(__file__).resolve().parents[2]
PLACEHOLDER = re.compile(r"^\{\{ (?P<name>[a-z-]+) \}\}\n", re.MULTILINE)
_SPAN = re.compile(r"keep_\w+|orphan_hours|idempotency_hours")  # settings that say how long something is kept
_OUTPUT = frozenset({"as_json", "output_format", "fields", "no_header"})
FAMILIES = {
    Family.OK: "Successful rows",
    Family.SKIPPED: "Skipped rows",
    Family.CELL: "Rows that fail because of a cell: correct it",
    Family.WORLD: "Rows that fail because of the inventory or your permissions",
    Family.OURS: "Rows that fail because of an internal error, or because the job was stopped",
    Family.WARNING: "Warnings: the row succeeds",
    Family.FILE: "Refused files",
}
REPORT_CELLS = {
    "_row": "the row's number as your spreadsheet program shows it (blank rows count)",
    "_result": "`created`, `updated`, `deleted`, `unchanged`, `skipped`, `failed` or `unprocessed`",
    "_code": "the [result code](codes.md); programs compare this",
    "_column": "the column that caused the failure",
    "_message": "what happened, in words; for a job under review, what would happen",
    "_fix": "how to fix the row",
    "_number": "the number as it is stored (E.164)",
    "_warnings": "codes of repairs and notes; the row succeeds",
    "_duplicate_of_row": "the earlier row that counts, when this row repeats it",
    CORRECTIONS_COLUMN: "what was replaced by what during the review; only if cells were corrected",
}


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table; a `|` in a cell is escaped."""
    titles = tuple(head)
    lines = [titles, tuple("---" for _ in titles), *(tuple(str(cell) for cell in row) for row in rows)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def settings() -> str:
    """Return the settings of the service, then those of the command line."""
    own = [
        (f"`{variable_of(name)}`", _default(field.get_default()), field.description)
        for name, field in Settings.model_fields.items()
    ]
    typed = [
        (f"`{option.envvar}`", "", f"{(option.help or '').partition('  [')[0]} For commands that call the service.")
        for option in command_line.params
        if isinstance(option, click.Option) and option.envvar
    ]
    return table(("Variable", "Default", "Meaning"), [*own, *typed])


def _default(value: object) -> str:
    return "" if value is None or value is PydanticUndefined else f"`{value}`"


def columns() -> str:
    """Return the columns of a spreadsheet."""
    return table(
        ("Column", "Required", "A cell holds", "Other accepted names"),
        (
            (
                f"`{spec.name}`",
                "yes" if spec.required else "no",
                spec.accepts,
                ", ".join(map("`{}`".format, spec.aliases)),
            )
            for spec in SPECS
        ),
    )


def report_columns() -> str:
    """Return the columns that a report appends to those of the file."""
    return table(
        ("Column", "Holds"), ((f"`{name}`", REPORT_CELLS[name]) for name in (*REPORT_COLUMNS, CORRECTIONS_COLUMN))
    )


def codes() -> str:
    """Return the catalogue of row and file codes, family by family."""
    return "\n".join(f"### {title}\n\n{_family(family)}" for family, title in FAMILIES.items())


def _family(family: Family) -> str:
    also = ALSO_FILE_CODES if family is Family.FILE else frozenset[Code]()
    entries = [(code, entry) for code, entry in CATALOGUE.items() if entry.family is family or code in also]
    if family is Family.WARNING:
        return table(("Code", "Meaning"), ((f"`{code}`", entry.message) for code, entry in entries))
    if family is Family.FILE:
        rows = (
            (f"`{code}`", entry.status, _with_names(entry.message), _with_names(entry.fix)) for code, entry in entries
        )
        return table(("Code", "HTTP status", "Meaning", "What to do"), rows)
    outcomes = (
        (f"`{code}`", entry.outcome, _with_names(entry.message), _with_names(entry.fix)) for code, entry in entries
    )
    return table(("Code", "Result", "Meaning", "What to do"), outcomes)


def _with_names(text: str) -> str:
    """Return the text with names for its placeholders."""
    return text.format(column="*column*", value="*value*", accepts="what the column takes")


def problems() -> str:
    """Return the codes of refused requests."""
    return table(
        ("Code", "HTTP status", "Meaning", "What to do"),
        ((f"`{code}`", problem.status, problem.title, problem.fix) for code, problem in REQUEST_PROBLEMS.items()),
    )


def callback_results() -> str:
    """Return the results of an attempt to deliver a callback."""
    return table(("Result", "Meaning"), ((f"`{result}`", meaning) for result, meaning in RESULTS.items()))


def commands() -> str:
    """Return the commands with the first line of their help."""
    rows = [
        (f"[`{usage}`](#{path.replace(' ', '-')})", command.get_short_help_str(200))
        for path, usage, command in _commands()
    ]
    return table(("Command", "Purpose"), rows)


def shared_options() -> str:
    """Return the options of the program that its client commands share."""
    return table(("Option", "Meaning"), _options(command_line, {"version"}))


def output_options() -> str:
    """Return the options of the client commands on their output."""
    command = command_line.get_command(click.Context(command_line), "jobs")
    if command is None:
        raise LookupError("jobs")
    others = {option.name for option in command.params} - _OUTPUT
    return table(("Option", "Meaning"), _options(command, others))


def command_options() -> str:
    """Return one section per command: its help and options."""
    shared = {option.name for option in command_line.params} | _OUTPUT
    sections = []
    for path, usage, command in _commands():
        text = inspect.cleandoc(command.help or "").replace("\b\n", "").replace("\f", "")
        rows = list(_options(command, shared))
        options = "\n" + table(("Option", "Meaning"), rows) if rows else ""
        sections.append(f"### {path}\n\n```text\n{usage}\n\n{text.strip()}\n```\n{options}")
    return "\n".join(sections)


def _commands(group: click.Group = command_line, path: str = "numberyard") -> Iterator[tuple[str, str, click.Command]]:
    """Yield the path, usage and command of each command, subcommands after their group."""
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            raise LookupError(name)
        full = f"{path} {name}"
        pieces = command.collect_usage_pieces(click.Context(command, info_name=name))
        yield full, f"{full} {' '.join(pieces)}", command
        if isinstance(command, click.Group):
            yield from _commands(command, full)


def _options(command: click.Command, without: Collection[str | None] = ()) -> Iterator[tuple[str, str]]:
    """Yield the name and help of the options of a command."""
    context = click.Context(command)
    for option in command.params:
        record = option.get_help_record(context)
        if isinstance(option, click.Option) and record and option.name not in without:
            yield f"`{record[0]}`", record[1]


def exit_codes() -> str:
    """Return the exit codes."""
    return table(("Exit code", "Meaning"), ((code.value, meaning) for code, meaning in MEANINGS.items()))


def metrics() -> str:
    """Return the metrics of `/metrics`."""
    rows = ((f"`{one.name}`", one.kind, ", ".join(map("`{}`".format, one.labels)), one.help) for one in METRICS)
    return table(("Metric", "Type", "Labels", "Meaning"), rows)


def permissions() -> str:
    """Return one table per action: the code for each account and state of a number."""
    return "\n".join(_action(action) for action in MATRIX.values())


def _action(action: Action) -> str:
    columns = {actor: cells.split() for actor, cells in action.cells.items()}
    rows = (
        (state, *(CODES[cells[place] if len(cells) > 1 else cells[0]] for cells in columns.values()))
        for place, state in enumerate(STATES)
    )
    return f"### {action.title}\n\nRules: {action.rules}.\n\n{table(('The number is', *ACTORS.values()), rows)}"


def number_states() -> str:
    """Return the states of the permission matrix."""
    return table(("State", "Meaning"), STATES.items())


def roles() -> str:
    """Return the roles, then the scopes."""
    scopes = ((f"`{scope}`", text) for scope, text in SCOPE_TEXTS.items())
    people = ((f"`{role}`", text) for role, text in ROLE_TEXTS.items())
    return table(("Role", "A person or token with it"), people) + "\n" + table(("Scope", "Allows"), scopes)


def operations() -> str:
    """Return the operations of the API by what they need: one line for those that need the same."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name, needed in NEEDED.items():
        alike.setdefault(needed, []).append(f"`{name}`")
    rows = (
        (", ".join(names), _scopes(scopes), *("yes" if includes(role, lowest) else "403" for role in ROLES))
        for (lowest, scopes), names in alike.items()
    )
    return table(("Operations", "Scope", *ROLES.values()), rows)


def _scopes(scopes: str) -> str:
    return "any" if scopes == EVERY_SCOPE else " or ".join(f"`{scope}`" for scope in scopes.split())


def retained_tables() -> str:
    """Return what bounds each table of the database."""
    return _retained(BOUNDS.items())


def retained_files() -> str:
    """Return what bounds files, in the storage and elsewhere."""
    return _retained((*FILES.values(), *OTHER_FILES.items()), "Files")


def retained_keys() -> str:
    """Return what bounds the keys of the broker."""
    return _retained(KEYS.items(), "Keys")


def _retained(bounds: Iterable[tuple[str, Bound]], head: str = "Table") -> str:
    rows = (
        (name if head == "Files" else f"`{name}`", bound.by, *_kept(bound), _remover(bound)) for name, bound in bounds
    )
    return table((head, "Bounded by", "Kept", "Setting", "Removed by"), rows)


def _kept(bound: Bound) -> tuple[str, str]:
    """Return for how long, with the defaults of the settings; and the settings."""
    fields = Settings.model_fields
    times = [f"{fields[name].default:g} {name.rpartition('_')[2]}" for name in bound.settings if _SPAN.match(name)]
    comma = "" if bound.kept.startswith("from") or not bound.kept or not times else ","
    kept = f"{' / '.join(dict.fromkeys(times))}{comma} {bound.kept}".strip()
    return kept, ", ".join(f"`NUMBERYARD_{name.upper()}`" for name in bound.settings)


def _remover(bound: Bound) -> str:
    module, _, function = bound.remover.rpartition(":")
    return f"`{module.rpartition('.')[2]}.{function}`" if module else f"`{function}`" if function else ""


TABLES: dict[str, Callable[[], str]] = {
    "number-states": number_states,
    "permissions": permissions,
    "roles": roles,
    "operations": operations,
    "settings": settings,
    "columns": columns,
    "report-columns": report_columns,
    "codes": codes,
    "problems": problems,
    "callback-results": callback_results,
    "commands": commands,
    "shared-options": shared_options,
    "command-options": command_options,
    "output-options": output_options,
    "exit-codes": exit_codes,
    "metrics": metrics,
    "retained-tables": retained_tables,
    "retained-files": retained_files,
    "retained-keys": retained_keys,
}


def page(name: str) -> str:
    """Return the page with its tables. `KeyError` for a placeholder that is no table."""
    return GENERATED + PLACEHOLDER.sub(lambda found: TABLES[found["name"]](), PAGES[name])


def stale(root: Path = ROOT) -> dict[str, str]:
    """Return the pages below `root` that are missing or differ from the code, with the text they must have."""
    pages = {name: page(name) for name in PAGES}
    return {
        name: text
        for name, text in pages.items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != text
    }


def main(arguments: list[str]) -> int:
    """Check or write all pages; return the exit code."""
    pages = stale()
    if "--write" in arguments:
        for name, text in pages.items():
            (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / name).write_text(text, encoding="utf-8")
        return 0
    if pages:
        sys.stderr.write(f"Not current: {', '.join(pages)}. `make docs` writes them.\n")
    return 1 if pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
