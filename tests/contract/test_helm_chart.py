"""The Helm chart, rendered by Helm's library and judged by Kubernetes' schemas, says only what is true of the code.

The values are those of `ci`, as in the convention of chart-testing; no cluster is needed.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import click
import jsonschema
import kubernetes_validate
import pytest
import yaml

from schemas.metrics import METRICS, QUEUE_AGE
from tests.contract.process_commands import SETTINGS, assert_runs_as_under_up, celery_options
from tests.support.api_client import application
from tests.support.helm import manifests, rendered
from tests.support.node import Node
from webhook.cli.commands.migrate import migrate
from webhook.http.gunicorn_conf import graceful_timeout
from worker.config.settings import MIB, Settings, variable_of
from worker.queue import broker
from worker.runtime.local_stack import DRAIN_SECONDS

pytestmark = pytest.mark.xdist_group("helm")
ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/numberyard"
CASES = {path.name.removesuffix("-values.yaml"): yaml.safe_load(path.read_text()) for path in CHART.glob("ci/*.yaml")}
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
OLDEST, NEWEST = "1.25", "1.37"
GIB = 1024 * MIB
CUSTOM = {"keda.sh", "monitoring.coreos.com"}
SECRETS_OF_OTHERS = {
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SSE_CUSTOMER_KEY_BASE64",
    "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
}
NO_SECRETS_OF_OTHERS = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SSE_KMS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "GOOGLE_SERVICE_ACCOUNT",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "OTEL_RESOURCE_ATTRIBUTES",
}
Json = dict[str, Any]


def with_value(path: str, value: object) -> Json:
    """Return the minimal values with another one at a path, such as `web.replicas`."""
    found: Json = copy.deepcopy(CASES["minimal"])
    *above, last = path.split(".")
    target = found
    for name in above:
        target = target.setdefault(name, {})
    target[last] = value
    return found


WRONG: dict[str, tuple[Json, str]] = {
    "a slip of the finger": (with_value("web.replica", 3), "replica"),
    "no secret": (with_value("existingSecrets", []), "existingSecrets"),
    "a secret in the open": (with_value("settings.NUMBERYARD_REDIS_URL", "redis://x"), "NUMBERYARD_REDIS_URL"),
    "a secret of the telemetry in the open": (
        with_value("settings.OTEL_EXPORTER_OTLP_HEADERS", "authorization=x"),
        "OTEL_EXPORTER_OTLP_HEADERS",
    ),
    "a Job that ends before it has waited": (with_value("migrate.waitSeconds", 3600), "activeDeadlineSeconds"),
    "no setting at all": (with_value("settings.LOG_LEVEL", "INFO"), "LOG_LEVEL"),
    "a queue that does not exist": (with_value("workers.default", {"queues": ["mails"]}), "queues"),
    "a queue that no group serves": (
        with_value("workers.default", {"queues": ["chunks"]}),
        "serves the queue checking",
    ),
    "no place for files": (with_value("settings", {}), "NUMBERYARD_STORAGE_URL"),
    "an ingress without trusted proxies": (with_value("ingress.enabled", True), "ingress.trustedProxies"),
    "no time to drain": (with_value("workerDefaults.terminationGracePeriodSeconds", 20), "terminationGracePeriod"),
    "no token for Prometheus": (with_value("monitoring.serviceMonitor.enabled", True), "tokenSecret"),
    "a group scaled by nothing": (
        with_value("workers.extra", {"queues": ["upkeep"], "autoscaling": {"enabled": True}}),
        "upkeep",
    ),
}


@cache
def helm() -> tuple[dict[str, Json], Json]:
    """Return Helm's result for each of the cases, right and wrong, and its lint."""
    values = [*CASES.values(), *(wrong for wrong, _ in WRONG.values())]
    results, lint = rendered(CHART, *values)
    return dict(zip([*CASES, *WRONG], results, strict=True)), lint


@cache
def parsed(case: str) -> list[Json]:
    return manifests(helm()[0][case])


def objects(case: str, kind: str = "") -> list[Json]:
    """Return what a case renders to; of one kind, if one is given."""
    return [found for found in parsed(case) if kind in {"", found["kind"]}]


def pods(case: str) -> dict[str, Json]:
    """Return the pod of each process by component."""
    kinds = [*objects(case, "Deployment"), *objects(case, "Job")]
    labelled = [found["spec"]["template"] for found in kinds]
    return {pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod["spec"] for pod in labelled}


def container(pod: Json) -> Json:
    (found,) = pod["containers"]
    return dict(found)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_helm_lints_the_chart() -> None:
    lint = helm()[1]
    worse = [message for message in lint["messages"] if message["severity"] > 1]
    assert (worse, lint["errors"]) == ([], [])


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_knows_every_field(case: str, version: str) -> None:
    for found in objects(case):
        if found["apiVersion"].partition("/")[0] not in CUSTOM:
            kubernetes_validate.validate(found, version, strict=True)


def test_an_unknown_field_is_noticed(case: str) -> None:
    damaged = copy.deepcopy(objects(case, "Deployment")[0])
    damaged["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(damaged, NEWEST, strict=True)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_refused(name: str) -> None:
    assert WRONG[name][1] in helm()[0][name].get("error", "")


def test_the_schema_of_values_is_one_and_allows_the_defaults() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    errors = list(jsonschema.Draft7Validator(schema).iter_errors(defaults))
    assert [list(error.path) for error in errors] == [["existingSecrets"]]  # the one value that has to be given
    assert set(schema["properties"]) - {"global"} == set(defaults)


def test_all_processes_of_compose_are_there(case: str) -> None:
    ours = {name for name, service in COMPOSE.items() if "build" in service}
    assert {name.partition("-")[0] for name in pods(case)} == ours


def test_processes_run_as_under_up(case: str) -> None:
    for name, pod in pods(case).items():
        command = container(pod)["command"]
        if name == "migrate":
            seconds = CASES[case].get("migrate", {}).get("waitSeconds")
            assert command == COMPOSE["migrate"]["command"] + (["--wait", str(seconds)] if seconds else [])
            assert migrate.make_parser(click.Context(migrate)).parse_args(command[2:])
            continue
        own = {"web": ["bind", "worker_tmp_dir", "workers"], "upkeep": ["concurrency"], "beat": []}
        assert_runs_as_under_up(name.partition("-")[0], command, *own.get(name, ["concurrency", "queues"]))


def test_every_queue_is_served(case: str) -> None:
    commands = [container(pod)["command"] for name, pod in pods(case).items() if name.startswith(("worker", "upkeep"))]
    assert {queue for command in commands for queue in celery_options(command[1:])["queues"].split(",")} == set(
        broker.ALL_QUEUES
    )


def test_settings_are_settings_and_valid(case: str) -> None:
    settings = []
    for pod in pods(case).values():
        given = {entry["name"]: entry["value"] for entry in container(pod)["env"]}
        assert set(given) <= SETTINGS
        assert container(pod)["envFrom"] == [{"secretRef": {"name": name}} for name in CASES[case]["existingSecrets"]]
        settings.append({name.removeprefix("NUMBERYARD_").lower(): value for name, value in given.items()})
    assert all(each == settings[0] for each in settings)
    read = Settings.model_validate(settings[0])
    assert read.max_upload_bytes == CASES[case]["settings"].get("NUMBERYARD_MAX_UPLOAD_BYTES", 1024**3)
    claim = CASES[case].get("storage", {}).get("existingClaim")
    mounts = {mount["mountPath"]: mount["name"] for mount in container(pods(case)["web"])["volumeMounts"]}
    assert (mounts.get(read.files_url.removeprefix("file://")) == "files") == bool(claim)


def test_what_is_named_in_the_chart_exists() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(CHART.rglob("*")) if path.is_file())
    assert set(re.findall(r"NUMBERYARD_[A-Z_]+[A-Z]", text)) - {"NUMBERYARD"} <= SETTINGS
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    queues = schema["properties"]["workerDefaults"]["properties"]["queues"]["items"]["enum"]
    assert queues == list(broker.QUEUES_OF_WORKER)


def test_no_secret_is_taken_among_the_settings() -> None:
    """Those of the service, of the object stores and of the telemetry; names and files of keys are none."""
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    judge = jsonschema.Draft7Validator(schema["properties"]["settings"])
    fields = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    secrets = {variable_of(name) for name in fields} | SECRETS_OF_OTHERS
    assert {name for name in secrets if judge.is_valid({name: "x"})} == set()
    others = SETTINGS - secrets | NO_SECRETS_OF_OTHERS
    assert {name for name in others if not judge.is_valid({name: "x"})} == set()


def test_web_pods_are_probed_and_reached(case: str) -> None:
    web = container(pods(case)["web"])
    (port,) = web["ports"]
    assert f"--bind=0.0.0.0:{port['containerPort']}" in web["command"]
    addresses = application().url_map.bind("localhost")
    paths = {kind: web[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert {kind: probe["path"] for kind, probe in paths.items()} == {
        "startup": "/livez",
        "liveness": "/livez",
        "readiness": "/readyz",
    }
    for probe in paths.values():
        assert probe["port"] == port["name"]
        assert addresses.match(probe["path"], "GET")
    (service,) = objects(case, "Service")
    (deployment,) = [found for found in objects(case, "Deployment") if found["metadata"]["name"].endswith("-web")]
    assert service["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
    assert service["spec"]["ports"][0]["targetPort"] == port["name"]


def test_other_pods_are_probed_as_in_compose(case: str) -> None:
    for name, pod in pods(case).items():
        if name in {"web", "migrate"}:
            continue
        probe = COMPOSE[name.partition("-")[0]]["healthcheck"]["test"][1:]
        assert container(pod)["readinessProbe"]["exec"]["command"] == probe
        assert container(pod)["livenessProbe"]["exec"]["command"] == probe
        assert importlib.util.find_spec(probe[-1])


def test_pods_have_no_rights_that_they_do_not_need(case: str) -> None:
    """As the Pod Security Standard `restricted` demands, and a root file system that cannot be written."""
    for pod in pods(case).values():
        own = pod["securityContext"]
        assert own["runAsNonRoot"] is True
        assert own["seccompProfile"] == {"type": "RuntimeDefault"}
        assert f"USER {own['runAsUser']}:{own['runAsGroup']}" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
        assert own["fsGroup"] == own["runAsGroup"]
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        inner = container(pod)["securityContext"]
        assert inner == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        limits, requests = container(pod)["resources"]["limits"], container(pod)["resources"]["requests"]
        assert {"memory"} <= set(limits)
        assert {"cpu", "memory"} <= set(requests)


def test_temporary_folders_can_be_written(case: str) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for pod in pods(case).values():
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        writable = {
            mount["mountPath"] for mount in container(pod)["volumeMounts"] if "emptyDir" in volumes[mount["name"]]
        }
        assert f"TMPDIR={next(path for path in writable if path != '/dev/shm')}\n" in dockerfile  # noqa: S108
        assert "/dev/shm" in writable  # noqa: S108 - of the metrics


def test_pods_are_given_time_to_stop(case: str) -> None:
    found = pods(case)
    assert all(
        pod["terminationGracePeriodSeconds"] > DRAIN_SECONDS
        for name, pod in found.items()
        if name.startswith(("worker", "upkeep"))
    )
    for name, group in groups(case).items():
        seconds = 600 if group.get("autoscaling", {}).get("enabled", False) else 60
        assert found[f"worker-{name}"]["terminationGracePeriodSeconds"] == (
            group["terminationGracePeriodSeconds"] or seconds
        )
    (_, seconds) = container(found["web"])["lifecycle"]["preStop"]["exec"]["command"]
    assert found["web"]["terminationGracePeriodSeconds"] >= int(seconds) + 2 * graceful_timeout


def groups(case: str) -> dict[str, Json]:
    """Return the groups of workers, with the values that they do not set."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    common = defaults["workerDefaults"] | CASES[case].get("workerDefaults", {})
    named = defaults["workers"] | CASES[case].get("workers", {})
    return {name: common | group for name, group in named.items() if group is not None}


def test_workers_have_the_memory_that_the_guide_names(case: str) -> None:
    guide = " ".join((ROOT / "docs/guides/deployment.md").read_text(encoding="utf-8").split())
    (gibibytes,) = re.findall(r"([\d.]+) GiB for ten million", guide)
    for name, group in groups(case).items():
        each = float(gibibytes) * GIB + (Settings().workbook_memory_bytes if "checking" in group["queues"] else 0)
        limit = container(pods(case)[f"worker-{name}"])["resources"]["limits"]["memory"]
        assert int(limit.removesuffix("Gi")) * GIB >= group["concurrency"] * each


def test_beat_is_one_and_migrate_runs_first(case: str) -> None:
    (beat,) = [found for found in objects(case, "Deployment") if found["metadata"]["name"].endswith("-beat")]
    assert (beat["spec"]["replicas"], beat["spec"]["strategy"]) == (1, {"type": "Recreate"})
    (job,) = objects(case, "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    # At an installation nothing of the chart exists yet but hooks of less weight.
    accounts = {found["metadata"]["name"] for found in objects(case, "ServiceAccount")}
    pod = job["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] not in accounts
    assert not any("configMapRef" in source for source in container(pod)["envFrom"])


@pytest.mark.parametrize("kind", ["PodDisruptionBudget", "NetworkPolicy", "HorizontalPodAutoscaler", "ScaledObject"])
def test_what_concerns_pods_concerns_some(case: str, kind: str) -> None:
    deployments = {found["metadata"]["name"]: found for found in objects(case, "Deployment")}
    labels = [found["spec"]["selector"]["matchLabels"] for found in deployments.values()]
    labels += [found["metadata"]["labels"] for found in objects(case, "Job")]
    for found in objects(case, kind):
        if "scaleTargetRef" in found["spec"]:
            assert "replicas" not in deployments[found["spec"]["scaleTargetRef"]["name"]]["spec"]
            continue
        selector = found["spec"].get("selector", found["spec"].get("podSelector"))["matchLabels"]
        assert len([each for each in labels if selector.items() <= each.items()]) == 1


def test_workers_are_scaled_by_the_age_of_their_queues() -> None:
    assert QUEUE_AGE in METRICS
    (scaled,) = objects("full", "ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    query = trigger["metadata"]["query"]
    assert QUEUE_AGE.name in query
    (phases,) = re.findall(r'phase=~"([^"]+)"', query)
    served = CASES["full"]["workers"]["writing"]["queues"]
    assert phases.split("|") == [phase.value for queue in served for phase in broker.PHASES[queue]]
    (autoscaler,) = objects("external-metric", "HorizontalPodAutoscaler")
    (metric,) = autoscaler["spec"]["metrics"]
    assert metric["external"]["metric"]["name"] == QUEUE_AGE.name
    (expression,) = metric["external"]["metric"]["selector"]["matchExpressions"]
    every = [phase.value for queue in ("checking", "chunks", "reports") for phase in broker.PHASES[queue]]
    assert (expression["key"], expression["values"]) == ("phase", every)
    assert "phase" in QUEUE_AGE.labels


def test_processes_reach_only_what_they_use(case: str) -> None:
    """The outside is for callbacks; a shared volume needs no object store; migrate needs the database alone."""
    claim = CASES[case].get("storage", {}).get("existingClaim")
    for policy in objects(case, "NetworkPolicy"):
        component = policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
        assert (1024 in ports) == (component == "upkeep")
        assert bool(policy["spec"]["ingress"]) == (component == "web")
        assert (443 in ports) == (component == "upkeep" or not (claim or component in {"beat", "migrate"}))
        assert (6379 in ports) == (component != "migrate")
        assert (26379 in ports) == (case == "full" and component != "migrate")  # Redis Sentinel
        given = CASES[case]["networkPolicy"]["extraEgress"] if case == "full" else []
        assert [rule for rule in policy["spec"]["egress"] if rule in given] == given  # a collector of traces
        assert bool(ports & {5432, 6432}) == (component != "beat")


def test_the_ingress_lets_uploads_through() -> None:
    for case in ("full", "external-metric"):
        (ingress,) = objects(case, "Ingress")
        annotations = ingress["metadata"]["annotations"]
        limit = int(annotations["nginx.ingress.kubernetes.io/proxy-body-size"])
        most = CASES[case]["settings"].get("NUMBERYARD_MAX_UPLOAD_BYTES", 1024**3)
        assert most < limit <= most + 1024**2
        assert annotations["nginx.ingress.kubernetes.io/proxy-request-buffering"] == "off"
        given = {entry["name"]: entry["value"] for entry in container(pods(case)["web"])["env"]}
        assert given["NUMBERYARD_TRUSTED_PROXIES"] == CASES[case]["ingress"]["trustedProxies"]
        assert ("NUMBERYARD_TRUST_FORWARDED" in given) == ("tls" in ingress["spec"])


def test_the_chart_installs_the_alerts_as_they_are() -> None:
    (installed,) = objects("full", "PrometheusRule")
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8"))
    assert installed["spec"] == alerts


def test_versions_are_those_of_the_project() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{chart["appVersion"]}"' in project
    assert COMPOSE["web"]["image"] == f"numberyard:{chart['appVersion']}"


def test_the_notes_name_commands_and_address() -> None:
    for case, address in (("full", "https://numbers.example.com"), ("minimal", "port-forward")):
        (notes,) = [text for name, text in helm()[0][case]["files"].items() if name.endswith("NOTES.txt")]
        assert address in notes
        assert "numberyard doctor" in notes
        assert "deploy/example-numberyard-web" in notes


@pytest.mark.long
@pytest.mark.xdist_group("clients")
def test_custom_resources_follow_their_definitions(node: Node) -> None:
    """Those of KEDA and of the Prometheus operator, which Kubernetes itself does not know."""
    custom = [found for found in objects("full") if found["apiVersion"].partition("/")[0] in CUSTOM]
    assert {found["kind"] for found in custom} == {"ScaledObject", "ServiceMonitor", "PrometheusRule"}
    path = node.folder / "custom_resources.json"
    path.write_text(json.dumps(custom))
    ended = node.script("custom_resources.js", path.name)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    damaged = copy.deepcopy(custom)
    for found in damaged:
        del found["spec"][next(iter(sorted(found["spec"])))]
    path.write_text(json.dumps([found | {"apiVersion": "example.com/v0"} for found in custom] + damaged))
    faults = node.script("custom_resources.js", path.name).stdout.splitlines()
    assert len([fault for fault in faults if "example.com/v0 is not" in fault]) == 3
    assert any("must have required property" in fault for fault in faults)
