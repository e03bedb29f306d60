"""`rediss://`: Celery's connection and our own verify the broker's certificate and name, on a real TLS handshake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa
from kombu.exceptions import OperationalError
from pydantic import SecretStr, ValidationError

from schemas.jobs import Phase
from tests.support.api_client import Door
from tests.support.servers.tls_proxy import TlsProxy
from webhook.api import health
from webhook.http import readiness
from worker.config.settings import Settings, get_settings
from worker.queue import broker, healthcheck
from worker.runtime import external_servers
from worker.runtime.processes.child import ServerError

Given = Callable[..., None]
PATIENCE = 60.0  # seconds: a busy machine needs longer for a handshake than the service waits


@pytest.fixture
def proxy(broker_url: str) -> Iterator[TlsProxy]:
    with TlsProxy(sa.make_url(broker_url).port or 0) as made:
        yield made


@pytest.fixture
def over_tls(configure: Given, database: sa.Engine, broker_url: str, tmp_path: Path) -> Given:  # noqa: ARG001 - its settings come first
    """Have the broker reached by way of a TLS server whose authority is known, or not."""

    def change(proxy: TlsProxy, *, known: bool) -> None:
        path = tmp_path / "authority.pem"
        proxy.authority.cert_pem.write_to_path(str(path))
        given = {"redis_ca_file": path} if known else {}
        configure(redis_url=secured(broker_url, proxy), **given)

    return change


def secured(broker_url: str, proxy: TlsProxy) -> str:
    url = sa.make_url(broker_url)
    return f"rediss://:{url.password}@{url.host}:{proxy.port}/0"


def celery_connects() -> None:
    with broker.app().connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        connection.default_channel.client.ping()


def test_an_unknown_authority_is_refused_by_celery_and_by_us(proxy: TlsProxy, over_tls: Given) -> None:
    over_tls(proxy, known=False)
    with pytest.raises((OperationalError, redis.ConnectionError), match="certificate verify failed"):
        celery_connects()
    with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
        broker.waiting_in(broker.UPKEEP)
    url = get_settings().redis_url.get_secret_value()
    with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
        healthcheck.connected(url)
    with pytest.raises(ServerError, match="certificate verify failed"):
        external_servers.check_redis(url, 0.1)
    assert not broker.wake(Phase.CHECK, "job")
    assert proxy.refused > 0
    assert proxy.handshakes == 0


def test_a_known_authority_is_accepted(
    proxy: TlsProxy, over_tls: Given, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    over_tls(proxy, known=True)
    celery_connects()
    external_servers.check_redis(get_settings().redis_url.get_secret_value())
    queue = broker.QUEUES[Phase.CHECK]
    # The one of this process may be from an earlier test, and waits for a shorter time.
    monkeypatch.setattr(broker, "_background_sender", lambda: broker.BackgroundSender(PATIENCE))
    monkeypatch.setattr(broker, "PUBLISH_SECONDS", PATIENCE)
    with redis.Redis.from_url(broker_url) as plain:
        plain.delete(queue)
        assert broker.wake(Phase.CHECK, "job")
        assert broker.waiting_in(queue) == plain.llen(queue) == 1
        plain.delete(queue)
    assert proxy.handshakes > 0


def test_a_certificate_for_another_host_is_refused(broker_url: str, over_tls: Given) -> None:
    with TlsProxy(sa.make_url(broker_url).port or 0, "another.example") as proxy:
        over_tls(proxy, known=True)
        with pytest.raises((OperationalError, redis.ConnectionError), match="certificate verify failed"):
            celery_connects()
        with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
            broker.waiting_in(broker.UPKEEP)
        assert proxy.handshakes == 0


def test_readiness_names_the_broker(
    proxy: TlsProxy, over_tls: Given, api: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    over_tls(proxy, known=False)
    assert api.get("/readyz").json["failing"] == ["broker"]
    over_tls(proxy, known=True)
    monkeypatch.setattr(health, "BROKER_SECONDS", PATIENCE)
    monkeypatch.setattr(readiness, "DEADLINE", PATIENCE)
    assert api.get("/readyz").status_code == 200


def test_no_result_backend_is_connected_to(proxy: TlsProxy, over_tls: Given) -> None:
    over_tls(proxy, known=True)
    assert broker.app().backend.as_uri() == "disabled://"


@pytest.mark.parametrize(
    "query", ["ssl_cert_reqs=none", "ssl_cert_reqs=CERT_NONE", "x=1&ssl_check_hostname=false", "%73sl_cert_reqs=none"]
)
def test_an_address_cannot_switch_the_verification_off(query: str) -> None:
    with pytest.raises(ValidationError, match="always verified"):
        Settings(redis_url=SecretStr(f"rediss://localhost/0?{query}"))
