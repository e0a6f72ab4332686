"""Alembic's environment and the revisions that make the schema, one file each."""
