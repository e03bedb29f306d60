"""The portal: HTML forms in, pages out. What can be done, and by whom, is told elsewhere; here it is only shown.

Read `blueprint` first: what every request passes. Then `parts.html`, which all pages are put together from.
"""

from __future__ import annotations

from webhook.portal import (
    account,
    assigning,
    carriers,
    changing,
    deciding,
    jobs,
    levels,
    numbers,
    people,
    picking,
    sign_in,
    sms,
    static,
    tokens,
    uploads,
    user_numbers,
    users,
)
from webhook.portal.blueprint import bp
from webhook.portal.layout import dress, register

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
