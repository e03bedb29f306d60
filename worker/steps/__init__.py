"""One module for each step of a job: stages put together with storage and database, under a lease.

`worker.pipeline` says which step follows which; the stages themselves touch no storage.
"""
