"""Delivers callbacks: signed requests to URLs that tenants chose, over connections to permitted addresses only.

The callbacks themselves are rows in the database: `worker.jobs.callbacks`.
"""
