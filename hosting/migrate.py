"""Brings a database to the newest shape with Alembic, in one transaction; safe to repeat and to race."""

from __future__ import annotations

import zlib
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine


async def migrate(engine: AsyncEngine, folder: Path, version_table: str, revision: str = "head") -> None:
    """Upgrade the database of `engine` to `revision` of the migrations in `folder` (env.py and versions/)."""
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, folder, version_table, revision)


def upgrade(connection: Connection, folder: Path, version_table: str, revision: str = "head") -> None:
    """Upgrade on an open connection, inside its transaction."""
    _take_turn(connection, version_table)
    command.upgrade(_config(connection, folder, version_table), revision)


def downgrade(connection: Connection, folder: Path, version_table: str, revision: str = "base") -> None:
    """Downgrade on an open connection, inside its transaction. `base` drops everything."""
    _take_turn(connection, version_table)
    command.downgrade(_config(connection, folder, version_table), revision)


def _take_turn(connection: Connection, version_table: str) -> None:
    # Two processes that start at once must not both create the tables; the second finds the work done.
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({zlib.crc32(version_table.encode())})")


def _config(connection: Connection, folder: Path, version_table: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = version_table
    return config
