"""A job's report: the messages for each row, and their rendering as CSV, JSON Lines and an Excel workbook.

Does not access storage: `worker.steps` reads and stores the files.
"""
