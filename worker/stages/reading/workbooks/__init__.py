"""Workbooks: `workbook` is the caller's side; all other modules run in the child process that opens untrusted files."""
