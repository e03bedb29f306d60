"""Array helpers for whole columns: the bytes of text columns and the distinct values of integer columns.

Contains no phone number rules; those are in `worker.phone`.
"""
