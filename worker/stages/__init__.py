"""The stages of a job, as functions over columns: read, validate, cut, resolve, write, merge, plan.

Only `write` uses SQL. No stage imports another, apart from the type of its input.
"""
