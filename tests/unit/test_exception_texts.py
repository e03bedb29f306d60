"""Texts about exceptions: no value of a row and no secret, wherever a library puts it."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from worker.config.errors import LONGEST_MESSAGE, LONGEST_REASON, described, reason_of

CELL = "Max Mustermann, +49 30 123 456"


class ServerError(Exception):
    """An error with the attributes of a driver's."""

    def __init__(self, message: str, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


def texts_of(error: Exception) -> str:
    return reason_of(error) + described(error)


@pytest.mark.parametrize(
    "message",
    [
        f'invalid input syntax for type integer: "{CELL}"',
        f'invalid input syntax for type integer: "Max "M" Mustermann\n{CELL}"',
        f'cut in the middle: "Max\n{CELL}',
        f"ungültige Eingabesyntax für Typ integer: »{CELL}«",
        f"syntaxe en entrée invalide pour le type integer : « {CELL} »",
        "refused +49 30 123 456",
    ],
)
@pytest.mark.parametrize("sqlstate", ["22P02", "23514", "44000", "P0001", "99999", None])
def test_the_values_that_a_server_quotes_are_hidden(message: str, sqlstate: str | None) -> None:
    text = texts_of(ServerError(message, sqlstate))
    assert not re.search("Max|Muster|30|123|456", text)
    assert "***" in text


def test_names_of_objects_are_kept() -> None:
    message = 'column "name" of relation "carriers" does not exist'
    assert reason_of(ServerError(message, "42703")).endswith(f"ServerError 42703: {message}")


@pytest.mark.parametrize(
    "error",
    [
        KeyError(CELL),
        ValueError(f"could not convert string to float: {CELL!r}"),
        ValueError("no such number: +49 (30) 123-456"),
        pa.ArrowInvalid(f"CSV parse error: Expected 3 columns, got 2: {CELL}"),
    ],
)
def test_the_values_that_libraries_quote_are_hidden(error: Exception) -> None:
    assert not re.search("Max|Muster|30|123|456", described(error))
    assert type(error).__name__ in described(error)


def test_texts_about_the_program_and_the_system_are_kept() -> None:
    with pytest.raises(AttributeError) as raised:
        _ = object().missing  # type: ignore[attr-defined]
    assert "'object' object has no attribute 'missing'" in described(raised.value)
    assert "No space left on device: '/a/b'" in described(OSError(28, "No space left on device", "/a/b"))


@pytest.mark.parametrize("length", [LONGEST_MESSAGE, LONGEST_REASON])
@pytest.mark.parametrize("kept", [1, 3, 6, 10])
def test_a_secret_at_the_end_of_a_text_that_is_cut_is_hidden(length: int, kept: int) -> None:
    filling = "x" * (length - len("postgresql://u:") - kept)
    for error in (RuntimeError, TypeError, lambda text: ServerError(text, "08006")):
        text = texts_of(error(f"{filling}postgresql://u:hunter2hunter2@h/n"))
        assert "//u:h" not in text
