"""Runs the revisions on the connection that `schema.py` hands over, inside its transaction.

It configures no logging and opens no connection of its own.
"""

from alembic import context
from sqlmodel import SQLModel

import policyengine.store.tables  # noqa: F401  (fills the metadata, for `alembic revision --autogenerate`)
from policyengine.store.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
