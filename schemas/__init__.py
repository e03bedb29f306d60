"""What data looks like: columns, codes, jobs, permissions, names, and the forms of files and requests.

No engine is here: nothing opens a file, a connection or a number; `worker` and `webhook` do.
"""
