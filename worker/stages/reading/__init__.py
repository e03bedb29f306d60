"""The parts of the `read` stage, from the uploaded bytes to rows of text cells.

`worker.stages.read` is the entry point. Validating the cells is not part of it (`worker.stages.validate`).
"""
