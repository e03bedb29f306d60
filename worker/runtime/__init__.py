"""Runs the whole service on one machine, for `numberyard up`, `demo` and the tests: servers, processes, demo data.

Imports and requests are not handled here: `worker.celery_app` and `webhook.asgi` are started as child processes.
"""
