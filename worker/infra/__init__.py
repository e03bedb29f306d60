"""Names of before 0.1.0 that commands of deployments use; they are removed in 0.2.0.

Nothing new belongs here: `worker.queue.scheduler` and `worker.queue.healthcheck` are the modules.
"""
