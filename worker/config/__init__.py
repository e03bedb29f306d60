"""Settings from the environment, logging, and the failpoints at which tests kill or stop a process.

Not here: the command line's configuration file (`webhook.cli`).
"""
