"""What deploy/ names exists in the code, and nothing that docker-compose.yml runs is missing; nginx's configuration."""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import click
import httpx
import jsonschema
import pytest
import yaml

from schemas.metrics import METRICS, MetricKind
from schemas.request_problems import RequestCode, of_request
from tests.contract.process_commands import SETTINGS
from tests.support.api_client import application
from tests.support.programs import need
from tests.support.servers import nginx
from webhook.cli import main as command_line
from webhook.http import gunicorn_conf
from webhook.http.preferences import LONGEST_WAIT
from webhook.server import problems
from worker.config.settings import MIB, Settings
from worker.runtime.processes.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
COMPOSE = ROOT / "docker-compose.yml"
TLS_DIR = "NUMBERYARD_TLS_DIR"  # of the compose file alone
OF_NGINX = {"numberyard_form", "numberyard_retry"}
CONFIGURATION = (DEPLOY / "nginx/numberyard.conf").read_text(encoding="utf-8")
STATUSES = {"bad_request": 400, "not_found": 404, "too_large": 413, "unavailable": 503}


class ComposeLoader(yaml.SafeLoader):
    """Reads compose files with `!reset`, which removes what another file says."""


def _emptied(loader: ComposeLoader, node: yaml.SequenceNode) -> list[object]:
    return list(loader.construct_sequence(node))


ComposeLoader.add_constructor("!reset", _emptied)
PROXY: dict[str, Any] = yaml.load((DEPLOY / "compose/proxy.yml").read_text(), ComposeLoader)  # noqa: S506 - safe


def name_of(path: Path) -> str:
    return str(path.relative_to(DEPLOY))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_settings_exist(path: Path) -> None:
    named = set(re.findall(r"NUMBERYARD_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8")))
    assert named <= SETTINGS | {TLS_DIR}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_metrics_exist(path: Path) -> None:
    series = {metric.name for metric in METRICS if metric.kind is not MetricKind.HISTOGRAM} | {
        f"{metric.name}{ending}"
        for metric in METRICS
        if metric.kind is MetricKind.HISTOGRAM
        for ending in ("_bucket", "_count", "_sum")
    }
    named = set(re.findall(r"(?<![\w.@/])numberyard_[a-z_]+", path.read_text(encoding="utf-8")))
    assert named <= series | OF_NGINX


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_commands_modules_and_paths_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    commands = set(re.findall(r"(?:bin/|-- |`|\\\n +)numberyard ([a-z]+)", text))
    assert commands <= set(command_line.list_commands(click.Context(command_line)))
    for module in re.findall(r"\b((?:worker|webhook)\.[a-z_.]+[a-z])", text):
        file = ROOT / module.replace(".", "/")
        assert file.with_suffix(".py").exists() or file.is_dir(), module
    for linked in re.findall(r"\b(?:docs|schemas|deploy)/[\w./-]+\w", text):
        assert (ROOT / linked).exists(), linked
    addresses = application().url_map.bind("localhost")
    for address in re.findall(r"/(?:livez|readyz|metrics)\b", text):
        assert addresses.match(address, "GET")


def test_ports_are_those_of_the_web_processes() -> None:
    (published,) = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["web"]["ports"]
    port = published.rpartition(":")[2]
    assert f"server web:{port};" in CONFIGURATION
    assert f"--bind=0.0.0.0:{port}" in (DEPLOY / "helm/numberyard/templates/web.yaml").read_text()
    assert f"WEB_PORT={port}" in (DEPLOY / "systemd/numberyard-web.service").read_text()


# The proxy


def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    nginx.certified(tmp_path)
    main = nginx.configured(tmp_path, 1, 2, 3)
    line = [need("nginx"), "-t", "-q", "-p", str(tmp_path), "-c", str(main)]
    ended = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    part = tmp_path / "numberyard.conf"
    part.write_text(part.read_text().replace("proxy_buffering on", "proxy_bufering on"))
    assert subprocess.run(line, capture_output=True, check=False).returncode != 0


def test_nginx_logs_no_numbers_and_searches(tmp_path: Path) -> None:
    """With the default of nginx, which Debian and the image have: an access log with the line of each request."""
    folder = tmp_path / "nginx"
    paths = ("/v1/numbers/%2B493012345678?search=Mustermann", "/portal/numbers?search=Mustermann")
    with nginx.proxied(folder, free_port()) as proxy, proxy.client() as client:
        assert [client.get(path).status_code for path in paths] == [503, 503]
        plain = f"http://{nginx.NAME}:{proxy.plain_port}"
        assert [httpx.get(plain + path, trust_env=False).status_code for path in paths] == [403, 308]
    assert (folder / "access.log").read_text() == ""


def directive(name: str) -> str:
    (value,) = set(re.findall(rf"^ +{name} ([^;]+);", CONFIGURATION, re.MULTILINE))
    return str(value)


def test_limits_of_nginx_follow_those_of_the_service() -> None:
    defaults = Settings()
    most = [int(size) for size in re.findall(r"client_max_body_size (\d+)m;", CONFIGURATION)]
    assert [size * MIB for size in most] == [defaults.max_upload_bytes + MIB]
    assert float(directive("client_header_timeout").removesuffix("s")) == defaults.request_head_seconds
    assert float(directive("proxy_read_timeout").removesuffix("s")) > 2 * LONGEST_WAIT
    idle = [int(seconds) for seconds in re.findall(r"^  keepalive_timeout (\d+)s;", CONFIGURATION, re.MULTILINE)]
    assert min(idle) < gunicorn_conf.keepalive  # of the connections to the web processes
    assert directive("proxy_request_buffering") == "off"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("bad_request", RequestCode.BAD_REQUEST),
        ("not_found", RequestCode.NOT_FOUND),
        ("too_large", RequestCode.BODY_TOO_LARGE),
        ("unavailable", RequestCode.UNAVAILABLE),
    ],
)
def test_problems_of_nginx_are_those_of_the_service(name: str, code: RequestCode) -> None:
    (text,) = re.findall(rf"problem/{name} {{\n +return {STATUSES[name]} '(.*)';", CONFIGURATION)
    problem = json.loads(text)
    assert problem == of_request(code, problem["detail"])
    assert f"default_type {problems.CONTENT_TYPE};" in CONFIGURATION
    (page,) = re.findall(rf"page/{name} {{\n +return {STATUSES[name]} '(.*)';", CONFIGURATION)
    assert page.startswith("<!doctype html>")


def test_plain_http_is_refused_for_the_api() -> None:
    (text,) = re.findall(r"return 403 '(.*)';", CONFIGURATION)
    problem = json.loads(text)
    assert problem == of_request(RequestCode.FORBIDDEN, problem["detail"]) | {"fix": problem["fix"]}


# The compose file


def test_the_proxy_follows_the_compose_specification() -> None:
    schema = json.loads((Path(__file__).parent / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(schema).validate(PROXY)


def test_only_the_proxy_is_reached_and_trusted() -> None:
    web, proxy = PROXY["services"]["web"], PROXY["services"]["proxy"]
    assert web["ports"] == []
    assert "ports: !reset []" in (DEPLOY / "compose/proxy.yml").read_text()
    settings = Settings.model_validate(
        {name.removeprefix("NUMBERYARD_").lower(): value for name, value in web["environment"].items()}
    )
    assert settings.trust_forwarded
    address = ipaddress.ip_address(proxy["networks"]["edge"]["ipv4_address"])
    assert settings.networks_of_proxies == (ipaddress.ip_network(f"{address}/32"),)
    (config,) = PROXY["networks"]["edge"]["ipam"]["config"]
    for service in (web, proxy):
        assert ipaddress.ip_address(service["networks"]["edge"]["ipv4_address"]) in ipaddress.ip_network(
            config["subnet"]
        )
    assert "default" not in proxy["networks"]  # no way to database and broker
    assert "default" in web["networks"]


def test_the_proxy_has_what_its_configuration_names() -> None:
    proxy = PROXY["services"]["proxy"]
    mounts = {volume.rsplit(":", 2)[1]: volume.rsplit(":", 2)[0] for volume in proxy["volumes"]}
    assert (ROOT / mounts["/etc/nginx/conf.d/default.conf"]).samefile(nginx.CONFIGURATION)
    assert {"/etc/nginx/tls", "/var/www/acme"} <= set(mounts)
    assert all(volume.endswith(":ro") for volume in proxy["volumes"])
    inside = [port.rpartition(":")[2] for port in proxy["ports"]]
    assert all(f"listen {port}" in CONFIGURATION for port in inside)
    assert (proxy["read_only"], proxy["cap_drop"]) == (True, ["ALL"])
