"""The data model: columns, codes, jobs, permissions, names, and the schemas of files and requests.

No I/O: nothing here opens a file or a connection or parses a phone number; `worker` and `webhook` do.
"""
