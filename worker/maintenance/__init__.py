"""Background maintenance: releases expired leases, repeats lost wake-up messages, and removes expired files.

Which files have expired: `worker.jobs.retention`.
"""
