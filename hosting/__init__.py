"""What every process of ours shares: settings, logs, HTTP, the database, signals and exit codes. No claim words."""
