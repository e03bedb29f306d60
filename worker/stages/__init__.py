"""The stages of a job, as functions over columns: read, validate, cut, resolve, write, merge, plan.

Only `write` uses SQL, and none uses storage or the queue: `worker.steps` does. No stage imports another, except for the
type of its input.
"""
