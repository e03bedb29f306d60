"""The parts of the `read` stage; `worker.stages.read` is the only door, nothing else imports from here."""
