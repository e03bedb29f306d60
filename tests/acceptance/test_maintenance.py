"""Secrets are replaced while the service runs, by the commands of the guide (docs/guides/maintenance.md)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import psycopg
import pytest
import redis
import sqlalchemy as sa
import trustme

from tests.support import guides
from tests.support.files import sheets
from tests.support.portal_forms import post
from tests.support.programs import need
from tests.support.servers import mail_server, redis_servers, service
from tests.support.servers.callback_receiver import NETWORK, Got, Receiver, receiving
from tests.support.servers.postgres import Postgres, debian_home
from tests.support.servers.s3_server import BUCKET, S3
from tests.support.servers.service import NO_TLS, Json, wait_for
from tests.upgrade.accounts import Api
from tests.upgrade.rounds import LARGE, SMALL, assert_nothing_lost, begun, in_flight, load
from tests.upgrade.stand import PRESENT, Running, Stand, stop
from worker.accounts import first_account
from worker.runtime.embedded import EmbeddedPostgres, EmbeddedValkey, postgres
from worker.runtime.processes.ports import LOOPBACK

pytestmark = pytest.mark.xdist_group("maintenance")
DEADLINE = 60.0
SLOW_UPLOADS = 1.0  # seconds between two: the store of the tests is slow
OLD_TOKEN, NEW_TOKEN = "the-old-metrics-token", "the-new-metrics-token"
NEW_PASSWORD, LAST_PASSWORD = "b7d3c0ffee41", "c0ffee41b7d3"
EMAIL, PASSWORD = "ada@master.example", "a password of the tests"


def of(heading: str) -> list[str]:
    return guides.blocks("maintenance", heading)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """A service on servers of its own, whose passwords may change; `postgres` may sign in, with the first of them."""
    monkeypatch.setattr(postgres, "BOOTSTRAP", postgres.BOOTSTRAP + "ALTER ROLE postgres PASSWORD '{password}'\n")
    with (
        EmbeddedPostgres(tmp_path / "postgres", durable=False) as database,
        EmbeddedValkey(tmp_path / "valkey", durable=False) as broker,
    ):
        found = Stand(tmp_path, database.url, broker.url)
        try:
            yield found
        finally:
            found.close()
            print(found.logs())  # noqa: T201 - shown if the test has failed


def restart(bench: Stand, webs: list[Running]) -> None:
    """Replace the web processes one after the other, then the others, in the order of the guide."""
    others = [running for running in bench.started if running.process.poll() is None and running.role != "web"]
    for place, old in enumerate(list(webs)):
        (webs[place],) = bench.start(PRESENT, "web")
        old.stop()
    bench.start(PRESENT, *(old.role for old in others))
    stop(others)


def libpq(url: sa.URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def scraped(webs: list[Running], token: str) -> set[int]:
    """Return the statuses of `/metrics` at all web processes."""
    headers = {"Authorization": f"Bearer {token}"}
    asked = [httpx.get(f"{web.url}/metrics", headers=headers, trust_env=False, verify=NO_TLS) for web in webs]
    return {answer.status_code for answer in asked}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[S3, Json]]:
    """A store that checks its keys, and the first key of the user `numberyard`; `aws` finds both."""
    need("aws")
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    with S3() as server:
        access = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
        for name, value in (access | {"AWS_ENDPOINT_URL": server.url, "AWS_DEFAULT_REGION": "us-east-1"}).items():
            monkeypatch.setenv(name, value)
        for user in ("numberyard", "operator"):
            named = f"--user-name {user}"
            policy = f"{named} --policy-name all --policy-document '{json.dumps(allowed)}'"
            guides.run(f"aws iam create-user {named}\naws iam put-user-policy {policy}")
        create = "aws iam create-access-key --query AccessKey --output json --user-name"
        own, operator = (json.loads(guides.run(f"{create} {user}")) for user in ("numberyard", "operator"))
        server.refuse_unknown_keys()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", operator["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", operator["SecretAccessKey"])
        yield server, own


def keys_of(access: Json) -> dict[str, str]:
    names = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey"}
    return {"AWS_REGION": "us-east-1"} | {name: access[field] for name, field in names.items()}


def test_database_broker_store_and_metrics(bench: Stand, store: tuple[S3, Json]) -> None:
    """One restart for all of them: no error response, nothing lost, and what was valid before is refused afterwards."""
    need("redis-cli")
    server, old_access = store
    bench.settings |= {
        "storage_url": f"s3://{BUCKET}/files",
        "storage_endpoint": server.url,
        "metrics_token": OLD_TOKEN,
        "rows_per_chunk": 1000,
    }
    bench.variables = keys_of(old_access)
    old_database, old_broker = sa.make_url(bench.database_url), sa.make_url(bench.redis_url)
    webs, own = begun(bench, PRESENT)
    variables = {
        "ADMIN_DATABASE_URL": libpq(old_database.set(username="postgres")),
        "BROKER_HOST": LOOPBACK,
        "BROKER_PORT": old_broker.port,
        "OLD_PASSWORD": old_broker.password,
        "NEW_PASSWORD": NEW_PASSWORD,
        "OLD_KEY_ID": old_access["AccessKeyId"],
    }
    database, broker, keys = (of(name) for name in ("Database password", "Broker password", "Keys of the object store"))
    requests = load(own, SLOW_UPLOADS)
    with requests.running():
        large = in_flight(own)
        guides.run(database[0], **variables)
        guides.run(broker[0], **variables)
        new_access = json.loads(guides.run(keys[0], **variables))
        early = guides.attempt(database[1], **variables)
        assert early.returncode != 0, "processes still use the old role"
        bench.database_url = old_database.set(username="numberyard_b", password=NEW_PASSWORD).render_as_string(
            hide_password=False
        )
        bench.redis_url = old_broker.set(password=NEW_PASSWORD).render_as_string(hide_password=False)
        bench.settings["metrics_token"] = f"{NEW_TOKEN},{OLD_TOKEN}"
        bench.variables = keys_of(new_access)
        restart(bench, webs)
        assert scraped(webs, OLD_TOKEN) == scraped(webs, NEW_TOKEN) == {200}
        wait_for(lambda: guides.attempt(database[1], **variables).returncode == 0, DEADLINE, "the old role to be idle")
        guides.run(broker[1], **variables)
        guides.run(keys[1], **variables)
        before = len(requests.uploads)
        wait_for(lambda: len(requests.uploads) > before + 2, DEADLINE, "uploads to go on", 0.2)
        later = own.reseller.upload(service.block(SMALL, 2_129_000_000))
        assert own.reseller.ended(later)["status"] == "completed"
    assert not requests.errors, requests.errors[:5]
    assert requests.answered > 100
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(libpq(old_database))
    with (
        pytest.raises(redis.AuthenticationError),
        redis.Redis.from_url(bench.redis_url.replace(NEW_PASSWORD, str(old_broker.password))) as client,
    ):
        client.ping()
    listed = guides.attempt(f"aws s3 ls s3://{BUCKET}/", **keys_of(old_access))
    assert "InvalidAccessKeyId" in listed.stderr
    bench.settings["metrics_token"] = NEW_TOKEN
    webs += bench.start(PRESENT, "web")
    assert (scraped(webs[-1:], OLD_TOKEN), scraped(webs[-1:], NEW_TOKEN)) == ({401}, {200})
    created = {large: LARGE, later: SMALL} | dict.fromkeys(requests.uploads, SMALL)
    assert_nothing_lost(bench, own, created)
    guides.run(database[2], **variables | {"NEW_PASSWORD": LAST_PASSWORD})
    with psycopg.connect(libpq(old_database.set(password=LAST_PASSWORD))) as connection:
        assert connection.execute("SELECT count(*) FROM phone_numbers").fetchone() == (sum(created.values()),)
    assert guides.attempt(database[3], **variables).returncode != 0, "processes still use the role"
    bench.close()
    wait_for(lambda: guides.attempt(database[3], **variables).returncode == 0, DEADLINE, "the role to be idle")


def signed_in(bench: Stand, webs: list[Running]) -> httpx.Client:
    """A person of the Master Reseller in the portal, who gets an e-mail for each job that fails."""
    engine = sa.create_engine(sa.make_url(bench.database_url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        assert first_account.create_admin(connection, EMAIL, PASSWORD)
        connection.execute(sa.text("UPDATE admins SET one_time_until = NULL"))
    engine.dispose()
    headers = {"Origin": webs[0].url}
    browser = httpx.Client(base_url=webs[0].url, timeout=60.0, trust_env=False, verify=NO_TLS, headers=headers)
    post(browser, "/sign-in", "/sign-in", email=EMAIL, password=PASSWORD)
    post(browser, "/account", "/account/e-mails", mail_failed="1")
    return browser


def test_mail_password_tokens_and_signing_secrets(bench: Stand) -> None:
    """A mail server with one password only: the e-mail that it refuses meanwhile arrives after the restart."""
    with mail_server.serving() as mails, receiving() as receiver:
        bench.settings |= mails.settings | {"callback_networks": NETWORK, "callback_backoff_scale": 0.01}
        webs, own = begun(bench, PRESENT, webs=1)
        requests = load(own)
        with requests.running():
            change_mail_password(bench, webs, mails)
            replace_token(own.master, own.reseller, webs)
            rotate_signatures(own.reseller, receiver, webs)
        assert not requests.errors, requests.errors[:5]


def change_mail_password(bench: Stand, webs: list[Running], mails: mail_server.MailServer) -> None:
    with contextlib.closing(signed_in(bench, webs)) as browser:
        post(browser, "/account", "/uploads", file=("before.csv", sheets.PDF))
        wait_for(lambda: len(mails.got) == 1, DEADLINE, "the first e-mail", 0.1)
        mails.change_password(NEW_PASSWORD)
        post(browser, "/account", "/uploads", file=("meanwhile.csv", sheets.PDF))
        wait_for(lambda: "sign_in_failed" in bench.logs(), DEADLINE, "a refused sign-in", 0.2)
        assert len(mails.got) == 1
        bench.settings["smtp_password"] = NEW_PASSWORD
        (old,) = (running for running in bench.started if running.role == "upkeep")
        bench.start(PRESENT, "upkeep")
        old.drain()
        wait_for(lambda: len(mails.got) == 2, DEADLINE, "the second e-mail", 0.1)
    assert [mail.message["Subject"].rpartition(" ")[2] for mail in mails.got] == ["before.csv", "meanwhile.csv"]


def replace_token(master: Api, program: Api, webs: list[Running]) -> None:
    """The load goes on with the new token; the old one is then refused."""
    me = program.get("/v1/tenants/me")
    add, revoke = of("API tokens")
    variables = {"NUMBERYARD_URL": webs[0].url, "NUMBERYARD_TOKEN": master.token, "TENANT": me["id"], "ROLE": "admin"}
    old, old_id = program.token, program.get("/v1/tokens")["data"][0]["id"]
    program.token = guides.run(f'{add}echo "$NEW_TOKEN"', **variables).strip()
    assert program.get("/v1/tenants/me")["id"] == me["id"]
    guides.run(revoke, **variables, OLD_TOKEN_ID=old_id)
    assert Api(webs, old).request("GET", "/v1/tenants/me").status_code == 401
    assert program.get("/v1/tenants/me")["id"] == me["id"]


def rotate_signatures(program: Api, receiver: Receiver, webs: list[Running]) -> None:
    """Messages are signed by the old and the new secret after the rotation."""
    subscription = program.post("/v1/webhooks", {"url": receiver.url + "&for=webhook", "events": ["job.completed"]})
    old = {"callback": program.get("/v1/callbacks/secret")["secret"], "webhook": subscription["secret"]}
    (rotate,) = of("Secrets of callbacks and webhooks")
    variables = {"NUMBERYARD_URL": webs[0].url, "NUMBERYARD_TOKEN": program.token, "WEBHOOK_ID": subscription["id"]}
    new = dict(zip(("callback", "webhook"), guides.run(rotate, **variables).split(), strict=True))
    job = program.upload(service.block(SMALL, 2_129_000_000), callback_url=receiver.url + "&for=callback")
    program.ended(job)

    def of_job(kind: str) -> list[Got]:
        return [got for got in receiver.got if got.path.endswith(kind) and got.event["data"]["id"] == job]

    for kind in ("callback", "webhook"):
        wait_for(partial(of_job, kind), DEADLINE, f"the message of the {kind}", 0.1)
        assert [of_job(kind)[0].is_signed_by(secret) for secret in (old[kind], new[kind])] == [True, True]
        assert old[kind] != new[kind]


class Presented:
    """A certificate for this machine by an authority of its own, as files that a server and a client read."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.authority = trustme.CA()
        self.ca_file, self.certificate, self.key = (folder / name for name in ("ca.pem", "server.pem", "server.key"))
        leaf = self.authority.issue_cert(LOOPBACK)
        self.authority.cert_pem.write_to_path(str(self.ca_file))
        self.certificate.write_bytes(leaf.cert_chain_pems[0].bytes())
        self.key.write_bytes(leaf.private_key_pem.bytes())

    def install(self, server: Postgres) -> None:
        server.put("server.crt", self.certificate.read_bytes())
        server.put("server.key", self.key.read_bytes())


def is_presented(by: Presented, database: Postgres, broker: redis_servers.Server) -> list[bool]:
    """Return whether database and broker have a certificate by this authority."""
    verified = database.url.update_query_dict({"sslmode": "verify-full", "sslrootcert": str(by.ca_file)})
    options: Json = {"password": broker.password, "ssl": True, "ssl_ca_certs": str(by.ca_file)}

    def ask_database() -> None:
        psycopg.connect(libpq(verified)).close()

    def ask_broker() -> None:
        with redis.Redis(LOOPBACK, broker.port, **options) as client:
            client.ping()

    return [is_trusted(ask_database), is_trusted(ask_broker)]


def is_trusted(connect: Callable[[], None]) -> bool:
    """Return whether a connection succeeds; False if the certificate is not trusted."""
    try:
        connect()
    except (psycopg.OperationalError, redis.ConnectionError) as error:
        if "certificate verify failed" in str(error).lower():
            return False
        raise
    return True


def test_certificates_of_database_and_broker(tmp_path: Path) -> None:
    """Of another authority: the service trusts both for a time, and is then started with the new one alone."""
    need("redis-cli")
    old, new, both = Presented(tmp_path / "old"), Presented(tmp_path / "new"), tmp_path / "both.pem"
    both.write_bytes(old.ca_file.read_bytes() + new.ca_file.read_bytes())
    files = f"tls-cert-file {old.certificate}\ntls-key-file {old.key}\ntls-ca-cert-file {both}\ntls-auth-clients no\n"
    options = {"ssl": True, "ssl_ca_certs": str(both)}
    redis_server = redis_servers.Server(tmp_path / "redis", redis_servers.debian_redis(), files, options, tls=True)
    with Postgres(tmp_path / "postgres", debian_home()) as database, redis_server as broker:
        old.install(database)
        database.ask("ALTER SYSTEM SET ssl = on")
        database.ask("SELECT pg_reload_conf()")

        def verified(ca_file: Path) -> str:
            address = database.url.update_query_dict({"sslmode": "verify-full", "sslrootcert": str(ca_file)})
            return libpq(address)

        redis_url = f"rediss://:{broker.password}@{LOOPBACK}:{broker.port}/0"
        bench = Stand(tmp_path, verified(both), redis_url, {"redis_ca_file": both})
        try:
            webs, own = begun(bench, PRESENT, ("worker",))
            requests = load(own, SLOW_UPLOADS)
            with requests.running():
                assert is_presented(old, database, broker) == [True, True]
                _, reload, replace = of("Certificates")
                new.install(database)
                guides.run_with(debian_home(), reload, ADMIN_DATABASE_URL=verified(both))
                variables = {"PASSWORD": broker.password, "BROKER_HOST": LOOPBACK, "BROKER_PORT": broker.port}
                variables |= {"CA_FILE": old.ca_file, "CERTIFICATE": new.certificate, "KEY": new.key}
                guides.run(replace, **variables)
                wait_for(lambda: is_presented(new, database, broker) == [True, True], DEADLINE, "the new ones", 0.2)
                assert is_presented(old, database, broker) == [False, False]
                bench.database_url, bench.settings["redis_ca_file"] = verified(new.ca_file), new.ca_file
                restart(bench, webs)
                before = len(requests.uploads)
                wait_for(lambda: len(requests.uploads) > before + 2, DEADLINE, "uploads to go on", 0.2)
            assert not requests.errors, requests.errors[:5]
            for job in requests.uploads:
                assert own.reseller.ended(job)["counts"]["created"] == SMALL
        finally:
            bench.close()
            print(bench.logs())  # noqa: T201 - shown if the test has failed
