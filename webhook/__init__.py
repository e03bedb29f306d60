"""The HTTP service (API and portal) and the command line.

`http` has what all requests share, `services` the operations, `api` and `portal` the views, `server` the web process,
`cli` the command line. Rules and shapes of data are in `schemas`; the database, the storage and background work in
`worker`. Outgoing webhooks are called callbacks here (`worker.callbacks`). R1, R2 and so on are rules in docs/rules.md.
"""
