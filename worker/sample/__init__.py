"""The sample spreadsheet of any size: number plans, cells and faults, the same bytes for the same seed."""
