"""The HTTP service (API and portal) and the command line.

`http` has what all requests share, `services` the operations, `api` and `portal` the views, `server` the web process,
`cli` the command line. Background processing and all engines are in `worker`.
"""
