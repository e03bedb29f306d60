"""Whole columns of texts and ids as arrays: bytes of texts, distinct values. Knows nothing of phone numbers."""
