"""The stages of a job as pure functions over columns: read, validate, cut, resolve, merge, plan; only `write` has SQL.

No stage imports another.
"""
