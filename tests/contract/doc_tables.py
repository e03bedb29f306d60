"""Renders the documentation's tables from the code: settings, columns, result codes, metrics, commands, exit codes.

`python -m tests.contract.doc_tables` names documents that are not up to date (exit code 1); `--write` writes them.
Touches nothing but the text between the markers `<!-- begin: NAME -->` and `<!-- end: NAME -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from pydantic_core import PydanticUndefined

from schemas.codes import ALSO_FILE_CODES, CATALOGUE, Code, Family
from schemas.columns import REPORT_COLUMNS, SPECS
from schemas.http.callbacks import RESULTS
from schemas.metrics import METRICS
from schemas.request_problems import REQUEST_PROBLEMS
from tests.permission_matrix import ACTORS, CODES, MATRIX, STATES, Action
from webhook.cli import main as command_line
from webhook.cli.exit_codes import MEANINGS
from worker.config.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "PERMISSIONS.md")
MARKED = re.compile(r"<!-- begin: (?P<name>[a-z-]+) -->\n(?P<table>.*?)<!-- end: (?P=name) -->\n", re.DOTALL)
FAMILIES = {
    Family.OK: "The row did what it was sent for",
    Family.SKIPPED: "The row was passed over",
    Family.CELL: "The cell is to blame: mend it",
    Family.WORLD: "The inventory or your rights are to blame",
    Family.OURS: "We are to blame, or the job was stopped",
    Family.WARNING: "Warnings: the row succeeds all the same",
    Family.FILE: "The whole file is refused",
}
REPORT_CELLS = {
    "_row": "the row's number as your spreadsheet program shows it (blank rows count)",
    "_result": "`created`, `updated`, `deleted`, `unchanged`, `skipped`, `failed` or `unprocessed`",
    "_code": "the result code (see Result codes); programs should compare this",
    "_column": "the column that is to blame",
    "_message": "what happened, in words; of a job under review, what would happen",
    "_fix": "what to do about it",
    "_number": "the number as it is stored (E.164)",
    "_warnings": "codes of repairs and notes, the row succeeds all the same",
    "_duplicate_of_row": "the row that counts, when this one repeats it",
}


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; a `|` in a cell is escaped."""
    titles = tuple(head)
    lines = [titles, tuple("---" for _ in titles), *(tuple(str(cell) for cell in row) for row in rows)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def settings() -> str:
    """Every setting of the service, then those of the command line."""
    own = [
        (f"`NUMBERYARD_{name.upper()}`", _default(field.get_default()), field.description)
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
    """The spreadsheet's columns."""
    return table(
        ("Column", "Column needed", "A cell holds", "Also understood as"),
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
    """What a report appends to the file's own columns."""
    return table(("Column", "Holds"), ((f"`{name}`", REPORT_CELLS[name]) for name in REPORT_COLUMNS))


def codes() -> str:
    """The catalogue of row and file codes, family by family."""
    return "\n".join(f"**{title}**\n\n{_family(family)}" for family, title in FAMILIES.items())


def _family(family: Family) -> str:
    also = ALSO_FILE_CODES if family is Family.FILE else frozenset[Code]()
    entries = [(code, entry) for code, entry in CATALOGUE.items() if entry.family is family or code in also]
    if family is Family.WARNING:
        return table(("Code", "Meaning"), ((f"`{code}`", entry.message) for code, entry in entries))
    if family is Family.FILE:
        rows = ((f"`{code}`", entry.status, _blanks(entry.message), _blanks(entry.fix)) for code, entry in entries)
        return table(("Code", "HTTP status", "Meaning", "What to do"), rows)
    outcomes = ((f"`{code}`", entry.outcome, _blanks(entry.message), _blanks(entry.fix)) for code, entry in entries)
    return table(("Code", "Result", "Meaning", "What to do"), outcomes)


def _blanks(text: str) -> str:
    """The text with its blanks in words."""
    return text.format(column="*column*", value="*value*", accepts="what the column takes")


def problems() -> str:
    """The codes of refused requests."""
    return table(
        ("Code", "HTTP status", "Meaning", "What to do"),
        ((f"`{code}`", problem.status, problem.title, problem.fix) for code, problem in REQUEST_PROBLEMS.items()),
    )


def callback_results() -> str:
    """How a try to deliver a callback can go."""
    return table(("Result", "Meaning"), ((f"`{result}`", meaning) for result, meaning in RESULTS.items()))


def commands() -> str:
    """The command line's commands with their first line of help."""
    context = click.Context(command_line, info_name="numberyard")
    rows = []
    for name in command_line.list_commands(context):
        command = command_line.get_command(context, name)
        if command is None:
            raise LookupError(name)
        usage = " ".join(command.collect_usage_pieces(click.Context(command, info_name=name)))
        rows.append((f"`numberyard {name} {usage}`", command.get_short_help_str(200)))
    return table(("Command", "Does"), rows)


def exit_codes() -> str:
    """How commands end."""
    return table(("Exit code", "Meaning"), ((code.value, meaning) for code, meaning in MEANINGS.items()))


def metrics() -> str:
    """What `/metrics` shows."""
    rows = ((f"`{one.name}`", one.kind, ", ".join(map("`{}`".format, one.labels)), one.help) for one in METRICS)
    return table(("Metric", "Type", "Labels", "Tells"), rows)


def permissions() -> str:
    """Who may do what with a number in which state: one table per action."""
    return "\n".join(_action(action) for action in MATRIX.values())


def _action(action: Action) -> str:
    columns = {actor: cells.split() for actor, cells in action.cells.items()}
    rows = (
        (state, *(CODES[cells[place] if len(cells) > 1 else cells[0]] for cells in columns.values()))
        for place, state in enumerate(STATES)
    )
    return f"### {action.title}\n\nRules: {action.rules}.\n\n{table(('The number is', *ACTORS.values()), rows)}"


def number_states() -> str:
    """The states of the matrix."""
    return table(("State", "Means"), STATES.items())


TABLES: dict[str, Callable[[], str]] = {
    "number-states": number_states,
    "permissions": permissions,
    "settings": settings,
    "columns": columns,
    "report-columns": report_columns,
    "codes": codes,
    "problems": problems,
    "callback-results": callback_results,
    "commands": commands,
    "exit-codes": exit_codes,
    "metrics": metrics,
}


def up_to_date(text: str) -> str:
    """The document with every marked table as the code has it now. `KeyError` for a name that is no table."""
    return MARKED.sub(
        lambda found: f"<!-- begin: {found['name']} -->\n{TABLES[found['name']]()}<!-- end: {found['name']} -->\n", text
    )


def main(arguments: list[str]) -> int:
    """Check or write all documents; the exit code."""
    stale = []
    for name in DOCUMENTS:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        wanted = up_to_date(text)
        if wanted != text and "--write" in arguments:
            path.write_text(wanted, encoding="utf-8")
        elif wanted != text:
            stale.append(name)
    if stale:
        sys.stderr.write(f"Not up to date: {', '.join(stale)}. `make docs` writes the tables.\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
