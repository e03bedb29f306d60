"""The operations of the OpenAPI document, as their pages show them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from schemas.roles import Role, Scope
from webhook.reference.fields import Field, FieldReader
from webhook.reference.samples import Sample, samples

Json = dict[str, Any]
_METHODS = ("get", "post", "put", "patch", "delete")
_WRITTEN = {"csv": "CSV", "jsonl": "JSONL", "xlsx": "XLSX", "id": "ID"}
_NEEDS = "Needs the role "  # the paragraph of a description that `Operation.role` and `Operation.scopes` repeat


@dataclass(frozen=True)
class Body:
    """A body of one content type: its fields, and an example of it (JSON only)."""

    content_type: str
    schema: str
    description: str
    fields: tuple[Field, ...]
    example: object


@dataclass(frozen=True)
class Answer:
    """A response: its status, when it is sent, the names of its headers, its bodies, and the codes of a problem."""

    status: str
    description: str
    headers: tuple[str, ...]
    bodies: tuple[Body, ...]
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """An operation of the API, or an event that is sent to a receiver (`is_event`)."""

    id: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    role: str | None
    scopes: tuple[str, ...]
    parameters: tuple[Field, ...]
    bodies: tuple[Body, ...]
    answers: tuple[Answer, ...]
    samples: tuple[Sample, ...]
    is_event: bool = False

    @property
    def label(self) -> str:
        """Return a short name: `create_upload` is "Create upload"."""
        words = [_WRITTEN.get(word, word) for word in self.id.split("_")]
        return " ".join([words[0].capitalize(), *words[1:]])

    @property
    def needs_any_scope(self) -> bool:
        """Return whether a token with any scope may call it."""
        return len(self.scopes) == len(Scope)

    @property
    def needs_highest_role(self) -> bool:
        """Return whether no higher role exists."""
        return self.role == Role.ADMIN

    @property
    def successes(self) -> tuple[Answer, ...]:
        """Return the responses that are no refusal."""
        return tuple(answer for answer in self.answers if answer.status < "4")

    @property
    def refusals(self) -> tuple[Answer, ...]:
        """Return the responses with a problem, those that only a status class stands for left out."""
        return tuple(answer for answer in self.answers if answer.status >= "4" and answer.codes)


@dataclass(frozen=True)
class Group:
    """The operations of one subject."""

    name: str
    description: str
    operations: tuple[Operation, ...]


class Operations:
    """All operations of a document."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._reader = FieldReader(document)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Return the operations by subject, in the order of the document; last, the events."""
        found = [
            Group(tag["name"], tag["description"], tuple(self._of_tag(tag["name"]))) for tag in self._document["tags"]
        ]
        return (*found, Group("Events", "Messages that the service sends to your receivers.", tuple(self._events())))

    @cached_property
    def by_id(self) -> dict[str, Operation]:
        """Return the operations by their ID."""
        return {operation.id: operation for group in self.groups for operation in group.operations}

    def _of_tag(self, tag: str) -> Iterator[Operation]:
        for path, item in sorted(self._document["paths"].items()):
            for method in _METHODS:
                if method in item and item[method]["tags"] == [tag]:
                    yield self._operation(method, path, item[method])

    def _events(self) -> Iterator[Operation]:
        for item in self._document["webhooks"].values():
            yield self._operation("post", "", item["post"], is_event=True)

    def _operation(self, method: str, path: str, operation: Json, *, is_event: bool = False) -> Operation:
        return Operation(
            id=operation["operationId"],
            method=method.upper(),
            path=path,
            tag=operation["tags"][0],
            summary=operation["summary"],
            description=_description(operation),
            role=operation.get("x-required-role"),
            scopes=tuple(operation.get("x-required-scopes", ())),
            parameters=self._reader.parameters(operation),
            bodies=tuple(self._bodies(operation.get("requestBody", {}))),
            answers=tuple(self._answers(operation)),
            samples=() if is_event else samples(method, path, operation),
            is_event=is_event,
        )

    def _answers(self, operation: Json) -> Iterator[Answer]:
        for status, response in operation["responses"].items():
            yield Answer(
                status=status,
                description=response["description"],
                headers=tuple(response.get("headers", ())),
                bodies=tuple(self._bodies(response)) if status < "4" else (),
                codes=tuple(response.get("x-codes", ())),
            )

    def _bodies(self, holder: Json) -> Iterator[Body]:
        for content_type, content in holder.get("content", {}).items():
            schema, name = self._reader.resolve(content["schema"])
            example = next(iter(schema.get("examples", ())), None)
            fields = self._reader.body(content["schema"])
            yield Body(content_type, name, schema.get("description", ""), fields, example)


def _description(operation: Json) -> str:
    """Return what the description has beyond the summary and the paragraph about roles and scopes."""
    paragraphs = operation.get("description", "").split("\n\n")
    kept = [text for text in paragraphs if not text.startswith(_NEEDS)]
    if kept and " ".join(kept[0].split()).rstrip(".") == operation["summary"].rstrip("."):
        kept = kept[1:]
    return "\n\n".join(kept)
