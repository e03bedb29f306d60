"""The quotas of the admin's own company, and what it uses of them (R37)."""

from __future__ import annotations

from flask import render_template

from schemas.quotas import QUOTA_TEXTS, Quota
from schemas.roles import Operation
from webhook.http.access import needs
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.durations import file_size
from webhook.services import quotas

NEARLY = 0.9  # share of a limit from which on the page says so


@bp.get("/limits")
@needs(Operation.READ_ACCOUNTS)
def limits() -> str:
    states = quotas.get().data
    return render_template("portal/limits.html", states=states, texts=QUOTA_TEXTS, figure=_figure, nearly=NEARLY)


def _figure(quota: Quota, amount: int | None) -> str:
    """Return an amount of a quota in words; a dash if it is not known."""
    if amount is None:
        return "–"
    return file_size(amount) if quota is Quota.BYTES else f"{amount:,}"
