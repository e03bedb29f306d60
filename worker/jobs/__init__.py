"""Jobs in the database: submission, decisions, display, undo relations, retention; their callbacks and workbooks.

Not here: claiming and completing work items (`worker.queue`).
"""
