"""Files of jobs in a local folder or an object store: written, read in ranges, as Arrow tables; temporary folders.

Keys and the contents of each file: `worker.storage.files`. Retention is not here: `worker.jobs.retention`.
"""
