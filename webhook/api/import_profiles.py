"""`/v1/import-profiles`: column mappings with options, saved by name (R32)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, url_for

from schemas.http import import_profiles as bodies
from schemas.http.tenants import PageQuery
from schemas.roles import Operation
from webhook.http import auth
from webhook.http.access import needs
from webhook.http.responses import created, done, next_link, shown
from webhook.services import import_profiles

bp = APIBlueprint("import_profiles", __name__, url_prefix="/v1/import-profiles", tag="Uploads")
bp.before_request(auth.require_actor)


@bp.get("")
@bp.input(PageQuery, location="query", arg_name="query")
@bp.output(bodies.ImportProfileList)
@bp.doc(
    operation_id="list_import_profiles", summary="List the import profiles of your own tenant and of those above it"
)
@needs(Operation.READ_PROFILES)
def index(query: PageQuery) -> Response:
    """Oldest first."""
    return next_link(import_profiles.page(query))


@bp.post("")
@bp.input(bodies.NewImportProfile, arg_name="body")
@bp.output(bodies.ImportProfile, status_code=201)
@bp.doc(
    operation_id="create_import_profile",
    summary="Save an import profile, for your own tenant and those below it",
    responses={
        403: "Your company cannot upload files",
        409: "The name is already in use, or you have as many as you may have",
    },
)
@needs(Operation.UPLOAD)
def create(body: bodies.NewImportProfile) -> Response:
    """Its name must be free among the profiles of your own tenant."""
    profile = import_profiles.create(body)
    return created(profile, url_for("import_profiles.show", profile_id=profile.id))


@bp.get("/<profile_id>")
@bp.output(bodies.ImportProfile)
@bp.doc(operation_id="get_import_profile", summary="Get an import profile")
@needs(Operation.READ_PROFILES)
def show(profile_id: str) -> Response:
    """One of your own tenant or of a tenant above it."""
    return shown(import_profiles.get(profile_id))


@bp.patch("/<profile_id>")
@bp.input(bodies.ImportProfileChange, arg_name="body")
@bp.output(bodies.ImportProfile)
@bp.doc(
    operation_id="update_import_profile",
    summary="Rename an import profile, or replace its mapping, options or column names",
    responses={403: "Only the company that it belongs to can do this", 409: "The name is already in use"},
)
@needs(Operation.UPLOAD)
def change(profile_id: str, body: bodies.ImportProfileChange) -> Response:
    """Each field replaces the former value as a whole; omitted fields are not changed. Only your own tenant's."""
    return shown(import_profiles.change(profile_id, body))


@bp.delete("/<profile_id>")
@bp.output({}, status_code=204)
@bp.doc(
    operation_id="delete_import_profile",
    summary="Delete an import profile; jobs that used it are not changed",
    responses={403: "Only the company that it belongs to can do this"},
)
@needs(Operation.UPLOAD)
def delete(profile_id: str) -> Response:
    """Only your own tenant's."""
    import_profiles.delete(profile_id)
    return done()
