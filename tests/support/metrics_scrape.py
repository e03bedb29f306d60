"""`/metrics` as Prometheus reads it, in the test's own process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from schemas.metrics import Metric


@dataclass(frozen=True)
class Scrape:
    """What one scrape found: `scrape[ROWS, "created", "CREATED"]`. `text` is what was answered."""

    text: str
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = field(default_factory=dict)

    def __getitem__(self, wanted: Any) -> float:  # noqa: ANN401 - a metric, or one and the values of its labels
        metric, *labels = wanted if isinstance(wanted, tuple) else (wanted,)
        return self.sample(metric.name, metric, *labels)

    def sample(self, name: str, metric: Metric, *labels: str, **more: str) -> float:
        """A sample of another name than its metric's, such as a histogram's; 0 if there is none."""
        key = frozenset({**dict(zip(metric.labels, labels, strict=True)), **more}.items())
        return self.samples.get((name, key), 0.0)

    def families(self) -> list[Family]:
        """What was answered, as the parser gives it."""
        return list(text_string_to_metric_families(self.text))

    def nonzero(self, metric: Metric) -> dict[tuple[str, ...], float]:
        """The labels' values of all samples of a metric that are not zero."""
        return {
            tuple(dict(labels)[label] for label in metric.labels): value
            for (name, labels), value in self.samples.items()
            if name == metric.name and value
        }


def scrape(client: FlaskClient, **headers: str) -> Scrape:
    """Scrape once; the answer must be 200."""
    with client.get("/metrics", headers=headers) as answer:
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return parsed(answer.get_data(as_text=True))


def parsed(text: str) -> Scrape:
    """An exposition in the text format."""
    found = Scrape(text)
    for family in found.families():
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found.samples, f"twice: {key}"
            found.samples[key] = sample.value
    return found
