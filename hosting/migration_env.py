"""What every migrations/env.py calls: runs on the connection that `hosting.migrate` opened."""

from __future__ import annotations

from alembic import context


def run() -> None:
    """Run the migrations of the folder Alembic was pointed at."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"], target_metadata=None, version_table=attributes["version_table"]
    )
    with context.begin_transaction():
        context.run_migrations()
