"""The parts of `worker.stages.reading.suggest`: what headers mean, what cells show, and how both are weighed (R31)."""
