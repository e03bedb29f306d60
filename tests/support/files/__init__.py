"""Spreadsheets for tests: built as bytes, damaged, or as other programs write them; and ways to read them."""
