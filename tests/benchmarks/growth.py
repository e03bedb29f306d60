"""Whether rows become dearer as the file grows, or the table that they go to."""

from __future__ import annotations

from tests.benchmarks import figures, imports
from tests.benchmarks.figures import Figure, Findings, at_least, at_most, guarded
from tests.benchmarks.lab import Lab, Service

# Between each number of the file and the next, so many others at even distances: whatever is imported lands everywhere
# between what is there, and meets none of it.
STOCK = """
    INSERT INTO phone_numbers (e164, created_job_id, changed_job_id, holder_id, uploader_id, voice, sms, fax, country)
    SELECT e164 + CASE WHEN gap > %(each)s THEN gap * place / (%(each)s + 1) ELSE place END, 0, 0, %(holder)s,
        %(holder)s, true, false, false, country
    FROM (SELECT e164, country, lead(e164) OVER (ORDER BY e164) - e164 AS gap FROM ranges) AS known,
        generate_series(1, %(each)s) AS place
    WHERE place < gap
    ORDER BY 1"""
LEAST_RATE, MOST_TIME = 0.95, 1.5
SPARE = 1  # a number of the file more: some follow one another so closely that less fits between


def scenario(lab: Lab) -> Findings:
    """10 M rows in one file at 0.95 of the rate of 1 M; 1 M beside 30 M numbers in 1.5 times the time beside none."""
    service, sizes = imports.warmed(lab), lab.sizes
    big, huge = lab.file(sizes.big), lab.file(sizes.huge)
    empty, large, full, stock = [], [], [], 0
    for _ in range(lab.rounds):
        empty.append(imports.run(lab, service, big))
        _remember_ranges(service)
        large.append(imports.run(lab, service, huge))
        service.empty()
        stock = _fill(service, sizes.stock, sizes.big)
        full.append(imports.run(lab, service, big, anew=False))
    service.empty()
    rates = figures.ratios([one.rate for one in large], [one.rate for one in empty])
    slower = figures.ratios([one.seconds for one in full], [one.seconds for one in empty])
    return Findings(
        [
            Figure(f"{sizes.big:,} rows", figures.median(one.rate for one in empty), "rows/s"),
            Figure(f"{sizes.huge:,} rows", figures.median(one.rate for one in large), "rows/s"),
            Figure("rate of the larger file / smaller", rates, "x", guarded(sizes.judged, at_least(LEAST_RATE))),
            Figure(f"{sizes.big:,} rows beside {stock:,}", figures.median(one.rate for one in full), "rows/s"),
            Figure("time into the full table / empty", slower, "x", guarded(sizes.judged, at_most(MOST_TIME))),
        ],
        {name: [one.as_json() for one in found] for name, found in (("big", empty), ("huge", large), ("full", full))},
    )


def _remember_ranges(service: Service) -> None:
    service.connection.execute("DROP TABLE IF EXISTS ranges")
    service.connection.execute("CREATE TABLE ranges AS SELECT e164, country FROM phone_numbers")


def _fill(service: Service, stock: int, known: int) -> int:
    """Fill the inventory with about so many numbers; answers how many there are."""
    holder = service.ask("SELECT id FROM tenants WHERE public_id::text = %s", service.account("reseller")["tenant_id"])
    each = round(stock / known) + SPARE
    service.connection.execute(STOCK, {"each": each, "holder": holder})
    service.connection.execute("VACUUM ANALYZE phone_numbers")
    service.connection.execute("CHECKPOINT")
    return int(service.ask("SELECT count(*) FROM phone_numbers"))
