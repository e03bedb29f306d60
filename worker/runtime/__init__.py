"""Runs the whole service on one machine, for `numberyard up`, `demo` and the tests: servers, processes, demo data."""
