"""Alembic migrations, oldest first. `numberyard migrate` and `numberyard up` apply them."""
