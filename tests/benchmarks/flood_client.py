"""The client that `flood` starts in a process of its own: sends small files and exports as fast as it can.

`python -m tests.benchmarks.flood_client HOST:PORT FILES FIRST`, with the token in `BENCH_TOKEN`. It ends after so many
files, or after `MOST_SECONDS`, and prints how many requests were answered with which status, as JSON. It does not wait
after refusals.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException

from tests.support.servers.service import block

CONNECTIONS = 100
ROWS = 100
MOST_SECONDS = 600.0
SILENCE_SECONDS = 60.0
NO_ANSWER = "none"
_EXPORT = b'{"format": "csv"}'

Answers = Counter[str]


class Sender:
    """One connection in the name of an account; it is opened again when the service has closed it."""

    def __init__(self, host: str, token: str) -> None:
        self._connection = HTTPConnection(host, timeout=SILENCE_SECONDS)
        self._headers = {"Authorization": f"Bearer {token}"}

    def send(self, path: str, body: bytes, headers: Mapping[str, str]) -> str:
        """Send a request; return the status of its answer, or `NO_ANSWER`."""
        try:
            self._connection.request("POST", path, body, {**self._headers, **headers})
            answer = self._connection.getresponse()
            answer.read()
        except (HTTPException, OSError):
            self._connection.close()
            return NO_ANSWER
        return str(answer.status)


def main() -> None:
    host, count, first = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    token = os.environ["BENCH_TOKEN"]
    files = [block(ROWS, first + number * ROWS) for number in range(count)]
    exports: Answers = Counter()
    began = time.monotonic()
    # It is not waited for: its last export may take longer than all files.
    threading.Thread(target=_export, args=(Sender(host, token), exports), daemon=True).start()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        shares = [files[number::CONNECTIONS] for number in range(CONNECTIONS)]
        answers = list(threads.map(lambda share: _upload(Sender(host, token), share, began + MOST_SECONDS), shares))
    seconds = time.monotonic() - began
    print(json.dumps({"uploads": _sum(answers), "exports": dict(exports), "seconds": seconds}))


def _upload(sender: Sender, files: Sequence[bytes], deadline: float) -> Answers:
    answers: Answers = Counter()
    for content in files:
        if time.monotonic() > deadline:
            break
        answers[sender.send("/v1/uploads", content, {"Content-Type": "text/csv"})] += 1
    return answers


def _export(sender: Sender, answers: Answers) -> None:
    """Export the inventory again and again, each time when the job before has ended."""
    while True:
        answers[sender.send("/v1/exports", _EXPORT, {"Content-Type": "application/json", "Prefer": "wait=10"})] += 1


def _sum(answers: Iterable[Answers]) -> Answers:
    return sum(answers, start=Counter())


if __name__ == "__main__":
    main()
