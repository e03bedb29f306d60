"""The ASGI application that gunicorn serves: the WSGI application behind its gateway.

Started as `webhook.asgi:create_app()`.
"""

from __future__ import annotations

from webhook.app import create_app as create_wsgi_app
from webhook.server.gateway import Gateway
from worker.config import error_reports, logs, tracing
from worker.config.settings import get_settings
from worker.doctor.environment import log_at_start


def create_app() -> Gateway:
    """Return the ASGI application."""
    try:
        settings = get_settings()
        tracing.configure("web")
        error_reports.configure("web")
        application = create_wsgi_app().wsgi_app
        log_at_start()
        return Gateway(application, settings)
    except Exception as error:  # gunicorn would print it as text
        raise logs.cannot_start(error) from error
