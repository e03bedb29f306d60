"""Database tables (SQLAlchemy Core). Queries are in the packages of `worker`; migrations in `schemas.migrations`."""
