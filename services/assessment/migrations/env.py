from hosting.migration_env import run

run()
