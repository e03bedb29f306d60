"""States, counts and their arithmetic (R28, R29); names; permissions of an upload (R8, R9, R11, R17, R19, R24, R25)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import permissions
from schemas.codes import CATALOGUE, Code, Outcome, number_of, outcome_of
from schemas.columns import Column, recognise
from schemas.columns import fold as fold_header
from schemas.jobs import (
    MOVES,
    TERMINAL,
    WORKED_IN,
    JobOptions,
    JobStatus,
    OnExisting,
    Phase,
    Seen,
    Tally,
    counts_of,
    error_summary,
    may_move_from,
    total_of,
)
from schemas.name_matching import fold, unambiguous
from schemas.permissions import NumberFacts, Tenant, TenantKind

ROW_CODES = [code for code, entry in CATALOGUE.items() if entry.outcome is not None]
tallies = st.builds(
    Tally,
    st.dictionaries(
        st.sampled_from(ROW_CODES).map(lambda code: (outcome_of(code), code)),
        st.builds(Seen, st.integers(1, 1000), st.integers(2, 10**6)),
        max_size=5,
    ),
    st.integers(0, 1000),
)


@pytest.mark.long
@given(st.lists(tallies, max_size=6), st.randoms())
def test_tallies_add_up_in_any_order(parts: list[Tally], chance: object) -> None:
    """R29."""
    shuffled = parts[:]
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert total_of(parts) == total_of(shuffled)


@given(tallies)
def test_a_tally_survives_the_ledger(tally: Tally) -> None:
    assert Tally.from_json(tally.to_json()) == tally


@given(tallies, st.integers(0, 500))
def test_counts_add_up_at_any_moment(tally: Tally, waiting: int) -> None:
    """R28: total = created + updated + deleted + unchanged + skipped + failed + unprocessed."""
    total = sum(seen.count for seen in tally.results.values()) + waiting
    counts = counts_of(tally, total)
    assert counts["total"] == total == sum(counts[outcome.value] for outcome in Outcome)


def test_error_summary_names_failures_most_frequent_first() -> None:
    tally = Tally(
        {
            (Outcome.CREATED, Code.CREATED): Seen(9, 2),
            (Outcome.FAILED, Code.TOO_LONG): Seen(3, 7),
            (Outcome.FAILED, Code.TOO_SHORT): Seen(3, 5),
            (Outcome.FAILED, Code.ALREADY_EXISTS): Seen(4, 6),
            (Outcome.SKIPPED, Code.ALREADY_EXISTS): Seen(4, 6),
        }
    )
    assert [(entry["code"], entry["count"]) for entry in error_summary(tally)] == [
        ("ALREADY_EXISTS", 4),
        ("TOO_SHORT", 3),
        ("TOO_LONG", 3),
    ]


def test_ended_jobs_stay_ended_and_every_state_can_be_reached() -> None:
    assert all(not MOVES[status] for status in TERMINAL)
    assert all(may_move_from(status) for status in JobStatus if status is not JobStatus.ACCEPTED)
    assert JobStatus.RUNNING not in MOVES[JobStatus.PUBLISHING]


def test_every_phase_is_worked_on_somewhere_and_of_jobs_at_rest_only_what_is_apart() -> None:
    assert set(WORKED_IN) == set(Phase)
    assert set().union(*WORKED_IN.values()) == set(JobStatus)
    resting = TERMINAL | {JobStatus.REVIEW}
    of_resting = [phase for phase, found in WORKED_IN.items() if resting.intersection(found)]
    assert of_resting == [Phase.CALLBACK, Phase.WORKBOOK, Phase.MAIL, Phase.PREVIEW]
    assert WORKED_IN[Phase.CALLBACK] == TERMINAL
    assert WORKED_IN[Phase.WORKBOOK] == WORKED_IN[Phase.MAIL] == resting
    assert WORKED_IN[Phase.PREVIEW] == {JobStatus.REVIEW}


def test_options_survive_the_ledger() -> None:
    options = JobOptions(voice_carrier_id=3, target_id=9, on_existing=OnExisting.UPDATE)
    assert JobOptions.from_json(options.to_json()) == options


def test_code_numbers_are_as_they_were_stored() -> None:
    """Result files hold these numbers: one that changes would make old reports lie."""
    known = {Code.CREATED: 1, Code.DUPLICATE_IN_FILE: 8, Code.BLANK_ROW: 10, Code.INVALID_NUMBER: 19}
    known |= {Code.NUMBER_EXISTS_ELSEWHERE: 24, Code.INTERNAL_ERROR: 34, Code.CANCELLED: 36, Code.DIGEST_MISMATCH: 57}
    assert {code: number_of(code) for code in known} == known
    assert len({entry.number for entry in CATALOGUE.values()}) == len(CATALOGUE)


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("Country Code", Column.COUNTRY_CODE),
        ("\ufeffcountry_code", Column.COUNTRY_CODE),
        (" PHONE-NUMBER ", Column.PHONE_NUMBER),
        ("PhoneNumber", Column.PHONE_NUMBER),
        ("Voice", Column.VOICE),
        ("Enterprises and Resellers", Column.TARGET),
        ("Notes", None),
        ("", None),
    ],
)
def test_headers(header: str, column: Column | None) -> None:
    """R10, R12."""
    assert recognise(header) == column


def test_header_folding_keeps_letters_and_drops_accents() -> None:
    assert fold_header("Größe (mm)") == "grosse mm"


def test_names() -> None:
    """R12: case and spacing do not tell names apart; a name that two things bear means nothing."""
    assert fold("  Harbour   SIP ") == "harbour sip"
    assert unambiguous([("A", 1), ("B", 2), ("a ", 3)]) == {"b": 2}


MASTER = Tenant(1, "m", TenantKind.MASTER_RESELLER, "M", (1,))
RESELLER = Tenant(2, "r", TenantKind.RESELLER, "R", (1, 2))
SIBLING = Tenant(3, "s", TenantKind.RESELLER, "S", (1, 3))
CLOSED = Tenant(4, "c", TenantKind.ENTERPRISE, "C", (1, 2, 4))
OPEN = Tenant(5, "o", TenantKind.ENTERPRISE, "O", (1, 2, 5), allow_external_numbers=True)


@pytest.mark.parametrize(
    ("actor", "code"),
    [(MASTER, None), (RESELLER, None), (OPEN, None), (CLOSED, Code.EXTERNAL_NOT_ALLOWED)],
)
def test_who_may_upload(actor: Tenant, code: Code | None) -> None:
    """R8, R9."""
    assert permissions.check_upload(actor) == code


@pytest.mark.parametrize(
    ("actor", "target", "code"),
    [
        (RESELLER, RESELLER, None),
        (RESELLER, CLOSED, None),
        (MASTER, CLOSED, None),
        (RESELLER, SIBLING, Code.TARGET_NOT_FOUND),
        (RESELLER, MASTER, Code.TARGET_NOT_FOUND),
        (OPEN, CLOSED, Code.TARGET_NOT_FOUND),
        (RESELLER, None, Code.TARGET_NOT_FOUND),
    ],
)
def test_where_numbers_may_go(actor: Tenant, target: Tenant | None, code: Code | None) -> None:
    """R11, R19; R3: elsewhere and nowhere are the same."""
    assert permissions.check_target(actor, target) == code


@pytest.mark.parametrize(
    ("actor", "holder", "uploader", "code"),
    [
        (RESELLER, RESELLER, RESELLER, None),
        (RESELLER, CLOSED, RESELLER, Code.ASSIGNED_IN_USE),
        (RESELLER, RESELLER, MASTER, Code.NOT_UPLOADER),
        (MASTER, RESELLER, RESELLER, Code.NOT_UPLOADER),
        (RESELLER, SIBLING, SIBLING, Code.NOT_FOUND),
    ],
)
def test_who_may_delete(actor: Tenant, holder: Tenant, uploader: Tenant, code: Code | None) -> None:
    """R24, R25."""
    assert permissions.check_delete(actor, NumberFacts(holder, uploader)) == code


@pytest.mark.parametrize(
    ("holder", "code"),
    [(RESELLER, None), (OPEN, None), (SIBLING, Code.NUMBER_EXISTS_ELSEWHERE), (MASTER, Code.NUMBER_EXISTS_ELSEWHERE)],
)
def test_numbers_that_exist(holder: Tenant, code: Code | None) -> None:
    """R17."""
    assert permissions.check_existing(RESELLER, holder) == code
