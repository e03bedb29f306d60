"""The HTTP API, one file per resource. Views read the request, call, and answer; they hold no rules."""
