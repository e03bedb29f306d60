"""Workbooks: one sheet of an .xlsx, .xlsm, .xlsb, .xls or .ods file, as rows of text cells.

`workbook` starts the child process that parses the untrusted file (`child`) and reads its output. The other modules run
in the child.
"""
