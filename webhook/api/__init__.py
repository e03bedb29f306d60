"""The HTTP API, one module per resource: views read the request, call a service, and respond.

No decision is made here, and nothing is read from the database but for health and metrics.
"""
