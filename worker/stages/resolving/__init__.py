"""The decisions of `worker.stages.resolve`: one module per job kind, over a common view of a chunk's rows.

The permission rules that they apply are in `schemas.permissions`.
"""
