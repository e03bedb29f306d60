"""TLS with verification, of servers that speak it themselves: PostgreSQL, Redis with client certificates, sentinels."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
import trustme
from redis.exceptions import RedisError

from schemas.jobs import Phase
from tests.support.api_client import Door
from tests.support.servers import redis_servers
from tests.support.servers import service as services
from tests.support.servers.postgres import DATABASE, PASSWORD, Postgres, debian_home
from worker.config.settings import get_settings
from worker.queue import broker
from worker.runtime.processes.ports import LOOPBACK, free_port

pytestmark = pytest.mark.long

SECONDS = 60.0
DAY = dt.timedelta(days=1)
PROGRAM = "from webhook.cli import main; main()"
CASES = {"another authority": "unable to get local issuer", "another host": "does not match", "expired": "expired"}
REDIS_WORDS = {"another authority": "verify failed", "another host": "mismatch", "expired": "expired"}
Configure = Callable[..., None]


@dataclass
class Authority:
    """A certificate authority, its certificates for this machine, and its files."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.made, self.other = trustme.CA(), trustme.CA()
        self.file, self.other_file = self.folder / "ca.pem", self.folder / "other.pem"
        self.made.cert_pem.write_to_path(str(self.file))
        self.other.cert_pem.write_to_path(str(self.other_file))

    def issue(self, case: str = "") -> trustme.LeafCert:
        """A certificate of the server, in a case that a client must refuse, or right."""
        name = "another.example" if case == "another host" else LOOPBACK
        now = dt.datetime.now(dt.UTC)
        until = now - DAY if case == "expired" else now + DAY
        return self.made.issue_cert(name, not_before=until - 2 * DAY, not_after=until)

    def trusted(self, case: str = "") -> Path:
        """The file of the authorities that the client trusts."""
        return self.other_file if case == "another authority" else self.file

    def for_redis(self, case: str = "") -> tuple[str, dict[str, object]]:
        """Settings of a server that asks for client certificates, and the options of a client that has one."""
        leaf = self.issue(case)
        certificate, key = self.folder / f"server{case}.pem", self.folder / f"server{case}.key"
        certificate.write_bytes(leaf.cert_chain_pems[0].bytes())
        key.write_bytes(leaf.private_key_pem.bytes())
        settings = (
            f'tls-cert-file "{certificate}"\ntls-key-file "{key}"\ntls-ca-cert-file "{self.file}"\n'
            "tls-auth-clients yes\ntls-replication yes\n"
        )
        options = {"ssl": True, "ssl_ca_certs": str(self.file), "ssl_check_hostname": False, "ssl_cert_reqs": "none"}
        return settings, options | {"ssl_certfile": str(self.client()), "ssl_keyfile": str(self.folder / "client.key")}

    def client(self) -> Path:
        """The file of the client's certificate; `client.key` beside it has the key."""
        path = self.folder / "client.pem"
        if not path.exists():
            leaf = self.made.issue_cert("numberyard.client")
            path.write_bytes(leaf.cert_chain_pems[0].bytes())
            (self.folder / "client.key").write_bytes(leaf.private_key_pem.bytes())
        return path

    def redis_settings(self, case: str = "") -> dict[str, object]:
        """The settings of the service."""
        return {
            "redis_ca_file": self.trusted(case),
            "redis_cert_file": self.client(),
            "redis_key_file": self.folder / "client.key",
        }


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def postgres(tmp_path: Path, authority: Authority) -> Iterator[Postgres]:
    with Postgres(tmp_path / "postgres", debian_home()) as server:
        server.ask("ALTER SYSTEM SET ssl = on")
        present(server, authority.issue())
        yield server


def present(server: Postgres, leaf: trustme.LeafCert) -> None:
    """Have the server present this certificate, and refuse connections without TLS."""
    server.stop()
    server.put("server.crt", leaf.cert_chain_pems[0].bytes())
    server.put("server.key", leaf.private_key_pem.bytes())
    server.put("pg_hba.conf", f"hostssl all all {LOOPBACK}/32 scram-sha-256\n".encode())
    server.start()


def verified(server: Postgres, file: Path) -> str:
    query = {"sslmode": "verify-full", "sslrootcert": str(file)}
    return server.url.set(drivername="postgresql", query=query).render_as_string(hide_password=False)


def run(*command: str, **settings: object) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBERYARD_")}
    env |= {f"NUMBERYARD_{name.upper()}": str(value) for name, value in settings.items()}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command], env=env, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    for secret in (PASSWORD, redis_servers.PASSWORD, "Traceback"):
        assert secret not in done.stdout + done.stderr
    return done


def faults(subject: str, **settings: object) -> list[dict[str, str]]:
    """What the doctor finds wrong with this."""
    checks = json.loads(run("doctor", "--json", **settings).stdout)["checks"]
    return [one for one in checks if one["subject"] == subject and one["level"] == "error"]


def test_postgres_is_verified(postgres: Postgres, authority: Authority, tmp_path: Path) -> None:
    good = verified(postgres, authority.trusted())
    assert run("migrate", database_url=good).returncode == 0
    assert faults("database", database_url=good) == []
    for case, words in CASES.items():
        present(postgres, authority.issue(case))
        url = verified(postgres, authority.trusted(case))
        (fault,) = faults("database", database_url=url)
        assert words in fault["detail"], case
        assert "certificate" in fault["fix"]
        done = run("migrate", database_url=url)
        assert done.returncode != 0
        assert f"NUMBERYARD_DATABASE_URL: PostgreSQL at {LOOPBACK}:{postgres.port} can't be used" in done.stderr
        assert words in done.stderr
    up = run("up", "--data", str(tmp_path / "data"), "--port", str(free_port()), database_url=url)
    assert up.returncode != 0
    assert CASES["expired"] in up.stderr
    (fault, *_) = faults("NUMBERYARD_DATABASE_URL", database_url=verified(postgres, tmp_path / "none.pem"))
    assert "can't be read" in fault["detail"]


def test_requests_get_503_and_the_log_says_why(
    postgres: Postgres, authority: Authority, api: Door, configure: Configure
) -> None:
    configure(database_url=verified(postgres, authority.other_file))
    with structlog.testing.capture_logs() as logged:
        refused = api.get("/v1/numbers")
    assert (refused.status_code, refused.json["code"]) == (503, "UNAVAILABLE")
    assert int(refused.headers["Retry-After"]) > 0
    (reason,) = [str(line["reason"]) for line in logged if line["event"] == "database_unreachable"]
    assert "certificate verify failed" in reason
    assert PASSWORD not in reason


def test_the_whole_service_on_verified_connections(postgres: Postgres, authority: Authority, tmp_path: Path) -> None:
    """Redis has no port without TLS, and PostgreSQL takes no other connections: Celery's are such, too."""
    extra, options = authority.for_redis()
    with redis_servers.Server(tmp_path / "redis", redis_servers.debian_redis(), extra, options, tls=True) as redis:
        settings = {
            "database_url": verified(postgres, authority.file),
            "redis_url": f"rediss://:{redis_servers.PASSWORD}@{LOOPBACK}:{redis.port}/0",
            **authority.redis_settings(),
        }
        with services.running(tmp_path / "service", 1, **settings) as service:
            client = service.client(service.demo["accounts"][1]["name"])
            assert client.ended(client.upload(services.block(500)))["counts"]["created"] == 500
            ssl = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = "
            assert service.ask(f"{ssl} '{DATABASE}'") == [(True,)]
        without = {name: value for name, value in settings.items() if name not in {"redis_cert_file", "redis_key_file"}}
        assert faults("broker", **without)
        assert faults("broker", **settings) == []
        empty = tmp_path / "empty.pem"
        empty.touch()
        (fault,) = faults("NUMBERYARD_REDIS_KEY_FILE", **settings | {"redis_key_file": empty})
        assert "no private key" in fault["detail"]


def test_redis_is_verified(authority: Authority, tmp_path: Path) -> None:
    for number, (case, words) in enumerate(REDIS_WORDS.items()):
        extra, options = authority.for_redis(case)
        folder = tmp_path / f"redis{number}"
        with redis_servers.Server(folder, redis_servers.debian_redis(), extra, options, tls=True) as redis:
            url = f"rediss://:{redis_servers.PASSWORD}@{LOOPBACK}:{redis.port}/0"
            (fault,) = faults("broker", redis_url=url, **authority.redis_settings(case))
            assert words in fault["detail"], case
            assert "certificate" in fault["fix"]


@pytest.mark.usefixtures("database")
def test_sentinels_with_tls(authority: Authority, configure: Configure, tmp_path: Path) -> None:
    extra, options = authority.for_redis()
    program = redis_servers.debian_redis()
    with redis_servers.watched(tmp_path / "brokers", program, extra, options=options, tls=True) as brokers:
        configure(**brokers.settings("sentinels"), **authority.redis_settings())
        services.wait_for(lambda: broker.wake(Phase.CHECK, "job"), SECONDS, "a message")
        assert broker.waiting_in(broker.QUEUES[Phase.CHECK]) >= 1
        assert get_settings().redis_url is not None
        configure(redis_ca_file=authority.other_file)
        with pytest.raises(RedisError):
            broker.waiting_in(broker.UPKEEP)
        assert not broker.wake(Phase.CHECK, "job")
