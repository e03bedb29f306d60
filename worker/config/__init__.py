"""Settings from the environment, logging, and the failpoints at which tests stop a process."""
