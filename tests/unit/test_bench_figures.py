"""The arithmetic of the benchmarks: a limit that is judged wrongly would be worse than none."""

from __future__ import annotations

import pytest

from tests.benchmarks import figures, sizes
from tests.benchmarks.figures import Figure, Findings, Limit, at_least, at_most, guarded, just
from tests.benchmarks.flood import quotas_of, told
from tests.benchmarks.imports import Times
from tests.benchmarks.lab import Sizes
from tests.benchmarks.run import document, sizes_of
from tests.benchmarks.waiting import drained
from worker.config.settings import Settings


@pytest.mark.parametrize(
    ("limit", "value", "holds"),
    [
        (at_most(1.5), 1.5, True),
        (at_most(1.5), 1.51, False),
        (at_most(1.5), None, False),
        (at_least(15), 15.0, True),
        (at_least(15), 14.9, False),
        (at_least(15), None, False),
        (just("as recorded"), "as recorded", True),
        (just("as recorded"), "differs", False),
    ],
)
def test_a_limit_holds_at_its_bound_and_never_for_what_was_not_measured(
    limit: Limit, value: float | str | None, holds: bool
) -> None:
    assert limit.holds(value) is holds


def test_a_figure_without_a_limit_has_no_verdict() -> None:
    assert Figure("seconds", 3.0, "s").holds is None
    assert Figure("seconds", 3.0, "s", guarded(False, at_most(1))).holds is None
    assert Figure("seconds", 3.0, "s", guarded(True, at_most(1))).holds is False


def test_medians_pass_over_what_was_not_measured() -> None:
    assert figures.median([3, None, 1, 2]) == 2
    assert figures.median([None]) is None
    assert figures.medians([{"read": 1.0, "write": 4.0}, {"read": 3.0}]) == {"read": 2.0, "write": 4.0}
    assert figures.peaks([{"web": 10.0}, {"web": 12.0, "worker": 5.0}]) == {"web": 12.0, "worker": 5.0}


def test_ratios_are_taken_in_pairs() -> None:
    assert figures.ratios([2, 30, 4], [1, 10, 4]) == 2
    assert figures.ratios([2, None], [1, 1]) == 2
    assert figures.ratio(1, 0) is None


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (95, 95), (99, 99), (100, 100)])
def test_percentiles_are_values_that_were_measured(percent: float, value: float) -> None:
    assert figures.percentile(list(range(100, 0, -1)), percent) == value
    assert figures.percentile([7], percent) == 7
    assert figures.percentile([], percent) is None


def test_amdahl() -> None:
    assert figures.amdahl(0.0, 2) == 1
    assert figures.amdahl(0.5, 2) == pytest.approx(4 / 3)
    assert figures.amdahl(1.0, 2) == 2


def test_spans_reach_from_the_first_claim_to_the_last_end() -> None:
    times = Times({}, {"check": (1.0, 2.0), "validate": (1.5, 4.0), "write": (4.0, 9.0)})
    assert times.spans() == {"check": 1.0, "validate": 2.5, "write": 5.0}
    assert times.span_of(("check", "validate", "cut")) == 3
    assert times.span_of(("render",)) is None


def test_rates_of_a_queue_are_counted_from_the_start_and_between_ends() -> None:
    """Ten jobs in 16 seconds: the first two take four seconds, the last two one."""
    rates = drained(100.0, [101, 104, 106, 107, 109, 111, 113, 115, 115.5, 116])
    assert (rates.rate, rates.first, rates.last, rates.first_seconds) == (10 / 16, 0.5, 2.0, 1.0)


def test_notes_of_a_flood() -> None:
    assert told({"202": 9000, "429": 998, "none": 2}) == "accepted: 9,000, refused: 429: 998, none: 2"
    assert told({"202": 7}) == "accepted: 7, refused: 0"
    assert quotas_of(Settings(quota_open_jobs=5)).split(", ")[2] == "open_jobs 5"


def test_smaller_sizes_are_not_judged() -> None:
    assert sizes_of(1.0, None, None) == Sizes()
    assert sizes_of(1.0, 2_000_000, None).judged
    assert not sizes_of(1.0, 500_000, None).judged
    assert not sizes_of(1.0, None, 10_000).judged
    smoke = sizes_of(0.01, None, None)
    assert (smoke.big, smoke.huge, smoke.peer_by_row, smoke.judged) == (10_000, 100_000, 100, False)


def test_the_table_and_the_document_tell_which_limits_are_broken() -> None:
    held = Findings([Figure("import / COPY", 0.9, "x", at_most(1.0)), Figure("import", 1234.5, "rows/s")])
    broken = Findings([Figure("resolve", None, "x", at_least(1.3), "no such column")])
    lines = [line.split() for line in figures.table({"import": held, "workers": broken}) if line]
    assert lines == [
        ["import", "limit"],
        ["import", "/", "COPY", "0.9", "x", "<=", "1", "holds"],
        ["import", "1,234", "rows/s"],
        ["workers", "limit"],
        ["resolve", "not", "measured", "x", ">=", "1.3", "BROKEN", "no", "such", "column"],
    ]
    assert document({}, Sizes(), 3, {"import": held})["all_hold"]
    assert not document({}, Sizes(), 3, {"import": held, "workers": broken})["all_hold"]


def test_growth_per_tenfold_is_that_of_the_worst_looker() -> None:
    tenth = {("users", "master"): [10.0, 10.0, 90.0], ("users", "enterprise"): [5.0]}
    whole = {("users", "master"): [30.0, 30.0, 20.0], ("users", "enterprise"): [5.0]}
    slowest, growth = sizes.compared(tenth, whole, judged=True)
    assert (slowest.value, slowest.holds) == (30.0, True)
    assert (growth.value, growth.holds, growth.note) == (3.0, False, "master")
    assert all(figure.limit is None for figure in sizes.compared(tenth, whole, judged=False))


def test_a_tenth_of_a_platform_is_a_tenth_of_everything() -> None:
    assert sizes.Extents(30_000_000, 10_000, 1_000_000, 100_000).tenth() == sizes.Extents(
        3_000_000, 1_000, 100_000, 10_000
    )
