"""The former name of `webhook.http.gunicorn_conf`, for `gunicorn --config python:webhook.serving`."""

from webhook.http.gunicorn_conf import *  # noqa: F403 - gunicorn reads all of its names
