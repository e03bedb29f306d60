"""Generator of sample spreadsheets of any size: number plans, cells and faults. The same seed gives the same bytes.

Writes no files: the caller turns the rows into CSV or a workbook.
"""
