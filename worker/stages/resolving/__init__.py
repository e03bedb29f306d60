"""What `worker.stages.resolve` decides with: one module per kind of job, over one common view of a chunk's rows."""
