"""The documentation at `/docs`: what its pages say is what the service serves, and they cost next to nothing."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import template_rendered
from flask.testing import FlaskClient
from markupsafe import escape

from schemas.codes import CATALOGUE
from schemas.corrections import MOST_CELLS, MOST_CORRECTIONS, MOST_RULES
from schemas.exports import MOST_SHEET_ROWS
from schemas.http.job_labels import MOST_METADATA
from schemas.http.tenants import MOST_NETWORKS
from schemas.http.users import MOST_NUMBERS
from schemas.request_problems import REQUEST_PROBLEMS
from schemas.roles import ROLE_TEXTS, SCOPE_TEXTS
from tests.support.api_client import application
from webhook.http.request_bodies import DEEPEST
from webhook.reference import guides, markup
from webhook.reference.code_lists import code_lists
from webhook.reference.guides import FOLDER, GUIDES
from webhook.reference.literals import as_json, as_python
from webhook.reference.samples import samples
from webhook.reference.search import MOST_CHARACTERS
from worker.config.settings import Settings
from worker.jobs import export_items, import_profiles, webhooks

Json = dict[str, Any]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def document() -> Json:
    spec: Json = application().test_client().get("/openapi.json").json
    return spec


SPEC = document()
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, item in SPEC["paths"].items()
    for method, operation in item.items()
}
EVENTS = {item["post"]["operationId"]: item["post"] for item in SPEC["webhooks"].values()}
PAGES = [
    "/docs/",
    *(f"/docs/{guide.name}" for guide in GUIDES),
    "/docs/codes",
    "/docs/permissions",
    "/docs/search?q=job",
    *(f"/docs/operations/{name}" for name in (*OPERATIONS, *EVENTS)),
]


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return application().test_client()


def text_of(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_whole_and_have_a_strict_policy(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    page = answer.get_data(as_text=True)
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert "Set-Cookie" not in answer.headers
    assert not re.search(r"<style|<[^>]*\s(?:style|on\w+)=|<script(?![^>]* src=)|=.javascript:", page)
    assert len(re.findall(r"<h1[ >]", page)) == 1
    assert re.search(r"<title>[^<]+ - Numberyard API</title>", page)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_all_links_lead_to_a_page_and_a_heading(client: FlaskClient) -> None:
    """Links to other hosts are followed by people only; nothing is loaded from there."""
    anchors: dict[str, set[str]] = {}
    links: set[str] = set()
    for path in PAGES:
        page = text_of(client, path)
        anchors[path] = set(re.findall(r' id="([^"]+)"', page))
        assert not re.findall(r'(?:src|action)="(?:https?:)?//', page)
        assert not re.findall(r'<link [^>]*href="(?:https?:)?//', page)
        for link in map(unescape, re.findall(r'(?:href|src|action)="([^"]+)"', page)):
            if not re.match(r"https?://|#main", link):
                links.add(path.partition("?")[0] + link if link.startswith("#") else link)
    assert len(links) > 100
    for link in links:
        parts = urlsplit(link)
        if parts.path not in anchors and parts.path != "/docs/search":
            if parts.path == "/":
                continue  # the portal
            assert client.get(parts.path).status_code == 200, link
        elif parts.fragment and not parts.query:
            assert parts.fragment in anchors[parts.path], link


def test_every_page_is_in_the_navigation(client: FlaskClient) -> None:
    linked = set(re.findall(r'href="([^"#]+)"', text_of(client, "/docs/errors").split("<main")[0]))
    assert {path for path in PAGES if "?" not in path} <= linked
    assert {path.stem for path in FOLDER.glob("*.md")} == guides.NAMES


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_page_of_an_operation_has_all_of_it(client: FlaskClient, name: str) -> None:
    method, path, operation = OPERATIONS[name]
    page = text_of(client, f"/docs/operations/{name}")
    shown = unescape(re.sub(r"<[^>]+>", "", page))
    assert f"{method.upper()} {path}" in " ".join(shown.split())
    assert operation["summary"].replace("`", "") in shown
    for sample in samples(method, path, operation):
        assert sample.text in shown
    for parameter in operation.get("parameters", []):
        parameter_name = (
            parameter.get("name") or SPEC["components"]["parameters"][parameter["$ref"].split("/")[-1]]["name"]
        )
        assert f"<code>{parameter_name}</code>" in page
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for field, schema in fields_of(content["schema"]).items():
            assert f"<code>{field}</code>" in page
            for value in schema.get("enum", []):
                assert f"<code>{escape(value)}</code>" in page
    for status, response in operation["responses"].items():
        for code in response.get("x-codes", []):
            assert f'-{code}"><code>{code}</code></a>' in page
        if status < "3" and "application/json" in response.get("content", {}):
            assert "Example of a response" in page
    if "x-required-role" in operation:
        assert f"<dt>Role</dt><dd><code>{operation['x-required-role']}</code>" in page


def fields_of(schema: Json) -> Json:
    if "$ref" not in schema:
        return {}
    found: Json = SPEC["components"]["schemas"][schema["$ref"].split("/")[-1]]["properties"]
    return found


@pytest.mark.parametrize("name", EVENTS)
def test_events_have_pages_with_an_example(client: FlaskClient, name: str) -> None:
    page = text_of(client, f"/docs/operations/{name}")
    assert "Example of a body" in page
    assert "webhook-signature" in page


def test_every_json_body_of_the_document_has_an_example() -> None:
    for _, _, operation in OPERATIONS.values():
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content_type, content in (
            (kind, value) for one in contents for kind, value in one.get("content", {}).items()
        ):
            if "$ref" in content["schema"]:
                name = content["schema"]["$ref"].split("/")[-1]
                assert SPEC["components"]["schemas"][name].get("examples"), (operation["operationId"], content_type)


def test_the_page_of_codes_has_every_code_with_what_to_do(client: FlaskClient) -> None:
    page = unescape(re.sub(r"<[^>]+>", "", text_of(client, "/docs/codes")))
    for code in (*REQUEST_PROBLEMS, *CATALOGUE):
        assert code.value in page
    for problem in REQUEST_PROBLEMS.values():
        assert problem.title.replace("`", "") in page
        assert problem.fix.replace("`", "") in page
    assert "{" not in "".join(entry.meaning + entry.fix for codes in code_lists() for entry in codes.entries)


def test_r35_the_page_of_roles_has_every_role_scope_and_operation(client: FlaskClient) -> None:
    page = text_of(client, "/docs/permissions")
    for name, text in (*ROLE_TEXTS.items(), *SCOPE_TEXTS.items()):
        assert f"<code>{name.value}</code></td><td>{text}</td>" in page
    for name, (_, _, operation) in OPERATIONS.items():
        assert (f'/docs/operations/{name}">' in page.split("<main")[1]) == ("x-required-role" in operation)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("ASSIGNED_IN_USE", "/docs/codes#inventory-ASSIGNED_IN_USE"),
        ("create_upload", "/docs/operations/create_upload"),
        ("list jobs", "/docs/operations/list_jobs"),
        ("versions", "/docs/versions"),
    ],
)
def test_search_finds(client: FlaskClient, query: str, first: str) -> None:
    page = text_of(client, f"/docs/search?q={query}")
    assert re.findall(r'<li><p><a href="([^"]+)"', page)[0] == first


@pytest.mark.parametrize("query", ["Idempotency-Key", "/v1/jobs/{job_id}/cancel", "whsec", "RFC 9530", "cursor"])
def test_search_finds_words_of_texts_fields_and_paths(client: FlaskClient, query: str) -> None:
    assert '<ol class="results">' in client.get("/docs/search", query_string={"q": query}).get_data(as_text=True)


def test_search_escapes_and_bounds_what_it_is_asked_for(client: FlaskClient) -> None:
    page = client.get("/docs/search", query_string={"q": '"><script>alert(1)</script>'}).get_data(as_text=True)
    assert "<script>alert" not in page
    assert "No results" in page
    long = client.get("/docs/search", query_string={"q": "cursor " * 10_000})
    assert long.status_code == 200
    assert len(long.data) < 100_000
    assert ("cursor " * 10_000)[:MOST_CHARACTERS].strip() in long.get_data(as_text=True)
    twice = client.get("/docs/search?q=a&q=b")
    assert (twice.status_code, twice.json["code"]) == (422, "DUPLICATE_FIELD")
    assert "Enter a word" in text_of(client, "/docs/search")


def test_pages_are_kept_and_revalidated(client: FlaskClient) -> None:
    answer = client.get("/docs/operations/create_upload")
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    again = client.get("/docs/operations/create_upload", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["Content-Security-Policy"] == POLICY
    head = client.head("/docs/operations/create_upload")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == str(len(answer.data))
    rendered: list[str] = []
    with template_rendered.connected_to(lambda _app, template, **_: rendered.append(template.name), application()):
        for path in ("/docs/operations/create_upload", "/docs/nothing", "/docs/nothing"):
            client.get(path)
        kept = len(rendered)
        client.get("/docs/search?q=job")
    assert kept <= 1  # only the page for what there is not, if no other test has asked for it
    assert rendered[kept:] == ["reference/search.html"]


@pytest.mark.parametrize("path", ["/docs/nothing", "/docs/operations/get_nothing", "/docs/operations/", "/docs/../x"])
def test_unknown_pages_are_answered_with_a_page(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    if path.startswith("/docs/") and ".." not in path:
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert "Page not found" in answer.get_data(as_text=True)


def test_html_in_markdown_is_escaped() -> None:
    article = markup.article("# A\n\n<b>x</b> [bad](javascript:alert(1))\n\n## B `c`\n", guides.link)
    assert "<b>" not in article.html
    assert 'href="javascript' not in article.html
    assert [section.anchor for section in article.sections] == ["b-c"]
    assert "<i>" not in markup.code_box("<i>", "bash")
    assert "<i>" not in markup.code_box("<i>")


def test_links_of_guides_lead_to_this_site_or_are_text() -> None:
    assert guides.link("jobs.md#reports") == "/docs/jobs#reports"
    assert guides.link("../../../docs/reference/codes.md#request-codes") == "/docs/codes#request-codes"
    assert guides.link("../../../CHANGELOG.md") is None
    assert guides.link("/docs/operations/get_job") == "/docs/operations/get_job"


def test_literals_are_what_they_stand_for() -> None:
    value = {"a": [1, 2.5, None, True], "b": {"c": "x" * 70, "d": []}, "e": '“\n"'}
    assert eval(as_python(value)) == value  # noqa: S307 - our own
    assert json.loads(as_json(value)) == value


def test_limits_of_the_guide_are_those_of_the_code() -> None:
    text = (FOLDER / "limits.md").read_text(encoding="utf-8")
    for row in (
        f"| Exports that have not ended | {export_items.MOST_OPEN} per company |",
        f"| Subscriptions | {webhooks.MOST_PER_TENANT} per company |",
        f"| Import profiles | {import_profiles.MOST_PER_TENANT} per company |",
        f"| Networks of a token | {MOST_NETWORKS} |",
        f"| Corrections of a job | {MOST_CORRECTIONS}, with up to {MOST_RULES} rules and {MOST_CELLS:,} cells each |",
        f"| Numbers of a new user | {MOST_NUMBERS:,} |",
        f"| Metadata of a job | {MOST_METADATA} members |",
        f"| Numbers in an export as workbook | {MOST_SHEET_ROWS:,} |",
        f"| Rows of a file, and numbers of its blocks | {default('max_rows'):,}* |",
        f"| Columns | {default('max_columns'):,}* |",
        f"| Numbers of a job with `on_error=abort` | {default('max_rows_all_or_nothing'):,}* |",
        f"| Numbers in the block of one row (End Number) | {default('max_block'):,}* |",
        f"| Depth of a JSON body | {DEEPEST} levels |",
    ):
        assert row in text
    assert default("max_upload_bytes") == 1024**3  # "1 GiB"
    assert default("review_seconds") == 24 * 3600  # "a day"
    assert default("keep_changes_days") == 30


def default(setting: str) -> Any:  # noqa: ANN401 - of whatever type
    return Settings.model_fields[setting].default
