"""The HTTP API, one file per resource. Views read the request, call an operation, and answer; they decide nothing."""
