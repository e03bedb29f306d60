"""Servers for tests: the whole service, databases, an S3 API, TLS, receivers of callbacks."""
