"""Numbers in pasted text, as people copy them from spreadsheets and e-mails, and how each is read (R14c)."""

from __future__ import annotations

import pytest

from schemas.codes import Code
from worker.numbers import pasted_text

SEPARATED: tuple[tuple[str, list[str] | None], ...] = (
    ("+12125550142\n+12125550143\r\n\n", ["+12125550142", "+12125550143"]),
    ("US\t2125550142\tTRUE\tMeridian Voice", ["2125550142"]),
    ("1,(212) 555-0144,1,0", ["(212) 555-0144"]),
    ("212-555-0145; 212-555-0146 | 212-555-0147", ["212-555-0145", "212-555-0146", "212-555-0147"]),
    ("Hello Bob,\nplease move these:\n> +1 212 555 0142\n- 020 7946 0018\n1. +44 20 7946 0018", None),
    ("142", ["142"]),
    ("no number at all", []),
)


@pytest.mark.parametrize(("text", "numbers"), SEPARATED)
def test_what_surrounds_a_number_in_a_paste(text: str, numbers: list[str] | None) -> None:
    expected = ["+1 212 555 0142", "020 7946 0018", "+44 20 7946 0018"] if numbers is None else numbers
    assert pasted_text.split(text) == expected


def test_a_number_is_cut_to_what_a_page_can_show() -> None:
    assert [len(text) for text in pasted_text.split("1" * 100_000)] == [pasted_text.LONGEST]


def test_r14c_a_list_is_read_as_actions_read_it() -> None:
    """One country for all, or a question, or the reason: never a guess."""
    texts = ["+44 20 7946 0018", "(212) 555-0144", "ask Bob 5", "5"]
    london, new_york, words, digit = pasted_text.read(texts, [1, 49], None)
    assert london.e164 == 442079460018
    assert (new_york.e164, new_york.code) == (0, Code.AMBIGUOUS_NUMBER)
    assert "+1 212-555-0144" in new_york.message
    assert "+49 212 5550144" in new_york.message
    assert (words.code, words.text) == (Code.INVALID_CHARACTER, "ask Bob 5")
    assert digit.code is Code.NOT_FOUND
    assert pasted_text.read(["(212) 555-0144"], [1, 49], "US")[0].e164 == 12125550144
    # 20 7946 0018 is a number of Britain only, and so decides for the other.
    decided = pasted_text.read(["020 7946 0018", "030 7946 0018"], [44], None)
    assert [each.e164 for each in decided] == [442079460018, 443079460018]
    assert pasted_text.read([], [1], None) == []
