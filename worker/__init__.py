"""The processing of numbers, files and jobs, without HTTP. Start with `worker.pipeline`.

The packages form layers (import-linter contract in pyproject.toml); `webhook` uses the layers below `stages`.
"""
