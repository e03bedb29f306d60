"""The portal: HTML pages and forms for `webhook.services`, in packages by subject.

No rules and no queries are here. Start with `shared.blueprint`, the checks that every request passes, and with the
template `parts.html`, the macros that all pages are built from.
"""

from __future__ import annotations

from webhook.portal.accounts import carriers, quotas, tenants, tokens, user_numbers, users, webhooks
from webhook.portal.jobs import activity, confirm_cancel_undo, corrections, profiles, uploads
from webhook.portal.jobs import pages as job_pages
from webhook.portal.login import account, admins, sign_in
from webhook.portal.numbers import assign, change_delete, number_list, overview, pasted, searches, unassign
from webhook.portal.shared import select_fields, static_files
from webhook.portal.shared.blueprint import bp
from webhook.portal.shared.layout import dress, register

__all__ = ["bp", "dress", "pages", "register"]

pages = (
    sign_in,
    account,
    admins,
    overview,
    number_list,
    assign,
    unassign,
    change_delete,
    pasted,
    searches,
    select_fields,
    uploads,
    activity,
    profiles,
    job_pages,
    confirm_cancel_undo,
    corrections,
    tenants,
    users,
    user_numbers,
    carriers,
    tokens,
    webhooks,
    quotas,
    static_files,
)  # importing them registers their routes on the blueprint
