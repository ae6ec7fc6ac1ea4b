"""Brings the key ring's database to the newest shape with Alembic; safe to repeat and to race."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_266_417_003  # advisory lock number of this migration, so that two starting processes take turns


async def migrate_key_ring(database_url: str, revision: str = "head") -> None:
    """Upgrade the database at `database_url` (postgresql+asyncpg://...) to `revision`."""
    engine = create_async_engine(database_url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(upgrade, revision)
    finally:
        await engine.dispose()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Upgrade on an open connection, inside its transaction."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str = "base") -> None:
    """Downgrade on an open connection, inside its transaction. `base` drops every key: every person is erased."""
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    command.downgrade(_config(connection), revision)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
