"""The role and the scopes that each route needs (R35), declared on its view.

`needs(Operation.X)` marks a view. `webhook.http.auth` checks it for the API, `webhook.portal.shared.blueprint` for the
portal. A view of either that declares nothing is an internal error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from schemas import permissions
from schemas.permissions import Actor
from schemas.request_problems import RequestCode
from schemas.roles import REQUIREMENTS, Operation, Role, Scope
from webhook.http.errors import refuse

View = TypeVar("View", bound=Callable[..., Any])
_NEEDED = "_operation"


def needs(operation: Operation) -> Callable[[View], View]:
    """Declare the operation of a view."""

    def mark(view: View) -> View:
        setattr(view, _NEEDED, operation)
        return view

    return mark


def declared(view: Callable[..., Any]) -> Operation | None:
    """Return the operation that a view declares; None if it declares none."""
    return getattr(view, _NEEDED, None)


def operation_of(view: Callable[..., Any]) -> Operation:
    """Return the operation of a view that needs an actor. `LookupError` if it declares none."""
    operation = declared(view)
    if operation is None:
        raise LookupError(f"{view.__module__}.{view.__name__} does not declare what it needs")
    return operation


def check(actor: Actor, operation: Operation) -> None:
    """Refuse the request (FORBIDDEN) if the actor's role or scopes are not enough, and say what is missing."""
    missing = permissions.check_operation(actor, operation)
    if missing is None:
        return
    role, scopes = missing.role, [scope.value for scope in missing.scopes]
    detail = " ".join((*_role_texts(actor, role), *_scope_texts(scopes)))
    fix = "Use a token that has what is missing." if actor.token else "Ask an admin of your company for this role."
    more = ({} if role is None else {"required_role": role.value}) | ({"required_scopes": scopes} if scopes else {})
    raise refuse(RequestCode.FORBIDDEN, detail, fix=fix, **more)


def requirement(operation: Operation) -> dict[str, Any]:
    """Return what the OpenAPI document says of an operation: the lowest role, and scopes, any one of which will do."""
    needed = REQUIREMENTS[operation]
    return {"x-required-role": needed.role.value, "x-required-scopes": [scope.value for scope in needed.scopes]}


def requirement_text(operation: Operation) -> str:
    """Return a paragraph about what an operation needs, for its description."""
    needed = REQUIREMENTS[operation]
    role = f"the role `{needed.role}`" + (" or a higher one" if needed.role is not Role.ADMIN else "")
    if len(needed.scopes) == len(Scope):
        return f"Needs {role}, and any scope."
    return f"Needs {role}, and the scope {' or '.join(f'`{scope}`' for scope in needed.scopes)}."


def _role_texts(actor: Actor, role: Role | None) -> tuple[str, ...]:
    if role is None:
        return ()
    owner = "the token's role" if actor.token else "your role"
    return (f"This needs the role {role}; {owner} is {actor.role}.",)


def _scope_texts(scopes: list[str]) -> tuple[str, ...]:
    return (f"This needs the scope {' or '.join(scopes)}, which the token doesn't have.",) if scopes else ()
