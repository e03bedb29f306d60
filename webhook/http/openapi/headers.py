"""The headers in the OpenAPI document: parameters of requests, and headers of responses."""

from __future__ import annotations

from typing import Any

from webhook.http.openapi.declarations import DOWNLOADS, Header

Json = dict[str, Any]

_TEXTS = {
    Header.IDEMPOTENCY_KEY: "A key of your choice, 1 to 255 printable ASCII characters. If the same request is sent "
    "again with the same key, nothing is done twice, and the first response is returned with `Idempotent-Replayed`.",
    Header.PREFER: "`wait=n` (RFC 7240): wait up to n seconds, at most 10, for the result.",
    Header.IF_MATCH: "ETag of the state that you have seen (RFC 9110). In any other state, the response is 412.",
    Header.IF_NONE_MATCH: "ETag of what you have already (RFC 9110). If it is current, the response is 304.",
    Header.RANGE: "The bytes to return, such as `bytes=0-1023` (RFC 9110); the response is 206.",
    Header.IF_RANGE: "ETag of the file that a part of is there. If the file has changed, the whole file is returned.",
    Header.REQUEST_ID: "An ID of your own for the request, 1 to 128 letters, digits and `._~:/+=@-`. It is logged and "
    "returned; any other value is replaced by a new ID.",
    Header.TRACEPARENT: "The trace that the request belongs to (W3C Trace Context). It is logged and returned.",
}
# None of a key: programs that send examples would send every request with the same one.
_EXAMPLES = {
    Header.PREFER: "wait=10",
    Header.RANGE: "bytes=0-1023",
    Header.REQUEST_ID: "order-4711/1",
    Header.TRACEPARENT: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}


def _header(text: str, *, kind: str = "string", more: Json | None = None) -> Json:
    return {"description": text, "schema": {"type": kind, **(more or {})}}


_EXPORTS = frozenset({"get_numbers_csv", "get_numbers_jsonl"})
RESPONSE_HEADERS = {
    "X-Request-Id": _header("ID of the request, for support."),
    "traceparent": _header("The `traceparent` of the request, if it was valid."),
    "Location": _header("Path of the resource.", more={"format": "uri-reference"}),
    "ETag": _header("Names the state of the resource, for `If-Match` and `If-None-Match`."),
    "Retry-After": _header("Seconds after which the request can be sent again.", kind="integer"),
    "RateLimit": _header(
        "Requests that your company has left in this minute (`r`), and the seconds until the next one (`t`), as "
        '`"requests";r=29990;t=42` (draft-ietf-httpapi-ratelimit-headers-10). Not if there is no limit.'
    ),
    "RateLimit-Policy": _header('The limit: `q` requests in `w` seconds, as `"requests";q=30000;w=60`.'),
    "Link": _header('The next page: `<...>; rel="next"` (RFC 8288). Not on the last page.'),
    "Idempotent-Replayed": _header("`true` if this is the response to an earlier request with the same key."),
    "Preference-Applied": _header("`wait=n`, if the request was held for up to n seconds (RFC 7240)."),
    "Content-Disposition": _header("Name of the file (RFC 6266)."),
    "Content-Range": _header("Which bytes of how many (RFC 9110)."),
    "Accept-Ranges": _header("`bytes`: the file can be requested in parts."),
    "Changes-Cursor": _header("Cursor of `/v1/changes` at which the numbers were exported."),
    "Last-Modified": _header("When the numbers were as the file has them."),
    "WWW-Authenticate": _header("`Bearer` (RFC 6750)."),
}


def parameters() -> dict[str, Json]:
    """Return the header parameters, for `components`."""
    return {header.replace("-", ""): _parameter(header) for header in Header}


def _parameter(header: Header) -> Json:
    parameter: Json = {
        "name": header.value,
        "in": "header",
        "required": False,
        "description": _TEXTS[header],
        "schema": {"type": "string"},
    }
    if header in _EXAMPLES:
        parameter["example"] = _EXAMPLES[header]
    if header is Header.IDEMPOTENCY_KEY:
        # Spaces around a field's value are not part of it (RFC 9110).
        parameter["schema"] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"}
    return parameter


def parameter_reference(header: Header) -> Json:
    """Return the reference to a header parameter."""
    return {"$ref": f"#/components/parameters/{header.replace('-', '')}"}


def add_to_responses(operation: Json, accepted: tuple[Header, ...]) -> None:
    """Add to each response the headers that it is sent with. `accepted`: the request headers that the route honours."""
    is_list = any(parameter.get("name") == "cursor" for parameter in operation.get("parameters", []))
    for status, response in operation["responses"].items():
        names = _names(status, response, accepted)
        if "429" in operation["responses"] and status != "401":
            names += ["RateLimit", "RateLimit-Policy"]
        if is_list and status == "200":
            names.append("Link")
        if operation["operationId"] in _EXPORTS and status == "200":
            names += ["Changes-Cursor", "Last-Modified"]
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _names(status: str, response: Json, accepted: tuple[Header, ...]) -> list[str]:
    content = response.get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    is_job = schema.get("$ref", "").endswith("/Job")
    is_file = {Header.IF_MATCH, Header.IF_NONE_MATCH} <= set(accepted)
    rules = {
        "X-Request-Id": True,
        "traceparent": True,
        "Location": status == "201" or (status == "202" and is_job),
        "ETag": (Header.IF_NONE_MATCH in accepted and status < "400") or (status == "202" and is_job),
        "Retry-After": status in {"429", "503"} or is_job,
        "Idempotent-Replayed": Header.IDEMPOTENCY_KEY in accepted and status < "300",
        "Preference-Applied": Header.PREFER in accepted and status < "400",
        "Content-Disposition": bool(content.keys() & DOWNLOADS) or (status == "304" and is_file),
        "Content-Range": status in {"206", "416"},
        "Accept-Ranges": Header.RANGE in accepted and (status < "300" or status == "416"),
        "WWW-Authenticate": status == "401",
    }
    return [name for name, is_sent in rules.items() if is_sent]
