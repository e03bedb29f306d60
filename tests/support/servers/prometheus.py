"""Prometheus with the alert rules of deploy/, which scrapes a service: a Debian package, on a port of this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.programs import need
from tests.support.servers.service import wait_for
from worker.runtime.processes.ports import LOOPBACK, free_port

RULES = Path(__file__).parents[3] / "deploy/prometheus/alerts.yml"
SECONDS = 60.0
Json = dict[str, Any]


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    http: httpx.Client

    def get(self, path: str, **query: str) -> Json:
        """Return the data of a response; fails unless it is a success."""
        answer = self.http.get(f"/api/v1/{path}", params=query)
        body: Json = answer.json()
        assert (answer.status_code, body["status"]) == (200, "success"), body
        data: Json = body["data"]
        return data

    def query(self, expression: str) -> list[Json]:
        """Return the present value of an expression, by series."""
        return list(self.get("query", query=expression)["result"])


@contextmanager
def scraping(folder: Path, target: str, token: str) -> Iterator[Prometheus]:
    """Run Prometheus, which scrapes the host and port `target` every second, as the guide says."""
    program, port = need("prometheus"), free_port()
    folder.mkdir()
    (folder / "token").write_text(token)
    scrape = {
        "job_name": "numberyard",
        "scrape_interval": "1s",
        "authorization": {"credentials_file": str(folder / "token")},
        "static_configs": [{"targets": [target]}],
    }
    configuration = {"global": {"evaluation_interval": "1s"}, "rule_files": [str(RULES)], "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    line = [
        program,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={LOOPBACK}:{port}",
    ]
    with (
        (folder / "log").open("wb") as log,
        httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=SECONDS, trust_env=False) as http,
    ):
        process = subprocess.Popen(line, stdout=log, stderr=log)
        try:
            wait_for(lambda: process.poll() is not None or _is_ready(http), SECONDS, "Prometheus to be ready")
            assert process.poll() is None, (folder / "log").read_text()
            yield Prometheus(http)
        finally:
            process.terminate()
            process.wait(SECONDS)


def _is_ready(http: httpx.Client) -> bool:
    try:
        return http.get("/-/ready").status_code == 200
    except httpx.TransportError:
        return False
