"""Work items in PostgreSQL, claimed by lease, and the wake-up messages that go through Celery and the broker.

Not here: the processing of work items (`worker.pipeline`) and the jobs themselves (`worker.jobs`).
"""
