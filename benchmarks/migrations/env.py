"""Runs on the connection that `hosting.migrate` opened."""

from hosting.migration_env import run

run()
