"""Work items in PostgreSQL, claimed by lease, and the wake-up messages that go through Celery and the broker.

What a work item does: `worker.pipeline`. What a job is: `worker.jobs`.
"""
