"""Files of jobs on a local folder or an object store: put, read in ranges, as Arrow tables; temporary folders.

Which keys there are, and what each holds: `worker.storage.files`.
"""
