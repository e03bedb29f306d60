"""Runs the whole service on one machine, for `numberyard up`, `demo` and the tests: servers, processes, demo data.

Handles no jobs or requests itself: it starts `worker.celery_app` and `webhook.asgi` as child processes.
"""
