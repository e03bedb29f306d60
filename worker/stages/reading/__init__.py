"""The parts of the `read` stage, from the uploaded bytes to rows of cells.

`worker.stages.read` is the entry point.
"""
