"""The ASGI application that gunicorn serves: the WSGI application behind its gateway.

Started as `webhook.asgi:create_app()`.
"""

from __future__ import annotations

from webhook.app import create_app as create_wsgi_app
from webhook.server.gateway import Gateway
from worker.config.settings import get_settings


def create_app() -> Gateway:
    """Return the ASGI application."""
    return Gateway(create_wsgi_app().wsgi_app, get_settings())
