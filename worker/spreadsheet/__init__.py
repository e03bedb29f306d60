"""What spreadsheet programs do to cells: repaired when read, made safe when written. Whole columns at a time.

Files are opened by `worker.stages.reading`.
"""
