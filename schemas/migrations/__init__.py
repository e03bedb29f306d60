"""Alembic migrations, oldest first. Applied by `numberyard migrate` and by `numberyard up`."""
