"""Alembic's entry for intake's database."""

from hosting.migration_env import run

run()
