"""The command line in this process, against the real API on a socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from tests.support.api_client import Json, application
from webhook.cli import main
from webhook.cli.exit_codes import Exit

Cli = Callable[..., Result]


def run(*words: str, **env: str) -> Result:
    """One command, with such environment."""
    return CliRunner().invoke(main, words, env=env)


def told(result: Result, code: Exit = Exit.OK) -> Json:
    """What a command says with --json."""
    assert result.exit_code == code, result.output
    found: Json = json.loads(result.stdout)
    return found


@contextmanager
def served(token: str, work_off: Callable[[], None]) -> Iterator[Cli]:
    """Commands in the name of a token, unless `token=` tells another, while a worker does what is due."""
    with listening(work_off) as url:

        def call(*words: str, token: str = token) -> Result:
            return run(*words, NUMBERYARD_URL=url, NUMBERYARD_TOKEN=token)

        yield call


@contextmanager
def listening(work_off: Callable[[], None]) -> Iterator[str]:
    """The URL of the API on a socket, while a worker does what is due."""
    server = make_server("127.0.0.1", 0, application(), threaded=True)
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            work_off()

    threads = [threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})]
    threads.append(threading.Thread(target=work))
    for thread in threads:
        thread.start()

    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        stop.set()
        server.shutdown()
        for thread in threads:
            thread.join()
        server.server_close()
