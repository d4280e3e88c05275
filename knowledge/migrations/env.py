"""Alembic's entry point. Runs on the connection that `knowledge.registry` hands over, never on one of its own."""

from alembic import context

from knowledge.registry.tables import METADATA

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=METADATA, render_as_batch=True)
# No transaction of Alembic's own: the registry holds one write transaction around the whole upgrade.
context.run_migrations()
