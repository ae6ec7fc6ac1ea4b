"""Alembic's entry for the key ring: runs on the connection that `privacy.migrate` opened."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=None, version_table="key_ring_version")
with context.begin_transaction():
    context.run_migrations()
