"""Payment's database, through Alembic."""

from hosting.migration_env import run

run()
