"""Handling of spreadsheet cells: repair of damaged cells on reading, escaping of formulas on writing.

Works on whole columns at a time. `worker.stages.reading` opens the files.
"""
