"""Jobs in the database: submitted, decided about, shown, undone, kept for a time; their callbacks and workbooks.

How work items are claimed and completed: `worker.queue`.
"""
