"""One module for each step of a job: it connects the stages with storage and database, under a lease.

`worker.pipeline` defines the order of the steps. The stages themselves access no storage.
"""
