"""What every process of ours shares: settings, logs, HTTP, breaker, database, signals, exit codes. No claim words."""
