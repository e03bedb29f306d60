"""Overview, the first page after sign-in: the inventory as figures and plots, each a link to its list."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import render_template, url_for

from schemas.codes import in_general
from schemas.roles import Operation
from webhook.http.access import needs
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.job_messages import why_no_upload
from webhook.services import overview as overviews

PLOTTED = 8  # bars of a plot; its table has more


@bp.get("/overview")
@needs(Operation.READ_NUMBERS)
def overview() -> str:
    shown = overviews.get()
    return render_template(
        "portal/overview.html",
        overview=shown,
        plotted=PLOTTED,
        most_entries=overviews.MOST_ENTRIES,
        most_uploads=overviews.MOST_UPLOADS,
        in_general=in_general,
        uploads_url=_uploads_url,
        upload_hint=why_no_upload(),
    )


def _uploads_url(first: date, last: date, **filters: str) -> str:
    """Return the URL of Activity with the uploads of some days."""
    query: dict[str, Any] = {"kind": "upload", **filters, "from": first.isoformat(), "to": last.isoformat()}
    return url_for("portal.jobs", **query)
