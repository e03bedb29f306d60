"""The web process around the application: connections, request bodies and threads, each with a limit.

uvicorn parses HTTP and an event loop holds the connections, so slow and silent clients occupy no thread. `protocol`
limits connections and request heads, `incoming` reads request bodies, `gateway` hands complete requests to threads,
which `callers` gives to each caller in turn, `wsgi_call` runs the application in them. No routes are here. Why not
another server: docs/decisions/0004-web-server.md.
"""
