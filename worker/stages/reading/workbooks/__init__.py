"""Workbooks (.xlsx, .xlsm, .xlsb, .xls, .ods): read by a limited child process, streamed as rows of text cells."""
