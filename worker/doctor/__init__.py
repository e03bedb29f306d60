"""Checks the configuration that a process of the service would start with: one finding for each thing checked.

Imported by `numberyard doctor` and by the processes at their start. Nothing here prints a password.
"""
