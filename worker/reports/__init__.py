"""A job's report: what is said about each row, and its rendering as CSV, JSON lines and workbook. Pure.

Files are read and stored by `worker.steps`.
"""
