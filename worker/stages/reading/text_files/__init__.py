"""Delimited text: encoding, delimiter, rows of cells, and the mistakes that exports make (RFC 4180)."""
