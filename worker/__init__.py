"""Everything that is done with numbers, files and jobs, without HTTP. Start with `worker.pipeline`.

The packages are ordered (pyproject.toml, import-linter); `webhook` uses those below `stages`.
"""
