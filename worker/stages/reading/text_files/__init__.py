"""Delimited text (RFC 4180): encoding, delimiter, rows of cells, and the common errors of exports.

Finding the header row is not part of it (`worker.stages.reading.header`).
"""
