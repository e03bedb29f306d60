"""The portal: HTML forms in, pages out. What can be done, and by whom, is told elsewhere; here it is only shown.

Read `frame.blueprint` first: what every request passes. Then `parts.html`, which all pages are put together from.
"""

from __future__ import annotations

from webhook.portal.accounts import carriers, levels, sms, tokens, user_numbers, users
from webhook.portal.activity import deciding, jobs, uploads
from webhook.portal.entry import account, people, sign_in
from webhook.portal.frame import picking, static
from webhook.portal.frame.blueprint import bp
from webhook.portal.frame.layout import dress, register
from webhook.portal.inventory import assigning, changing, numbers

__all__ = ["bp", "dress", "pages", "register"]

pages = (
    sign_in,
    account,
    people,
    numbers,
    assigning,
    changing,
    picking,
    uploads,
    jobs,
    deciding,
    levels,
    users,
    user_numbers,
    sms,
    carriers,
    tokens,
    static,
)  # importing them is what adds their addresses to the blueprint
