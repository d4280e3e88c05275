"""Alembic migrations of the registry; applied when a home is opened."""
