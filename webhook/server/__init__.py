"""The web process around the application: connections, request bodies and threads, each with a bound.

uvicorn parses HTTP and an event loop keeps the connections, so slow and silent clients hold no thread. `protocol`
limits connections and request heads, `incoming` reads request bodies, `gateway` gives complete requests to threads,
`call` runs the application in them. Why not another server: docs/decisions/0004-web-server.md.
"""
