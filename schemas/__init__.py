"""The data model: columns, codes, jobs, permissions, names, and the schemas of files and requests.

No I/O: nothing here opens a file or a connection; `worker` and `webhook` do. Bodies with a country check it with
`worker.phone.country` (R14), the one import from above.
"""
