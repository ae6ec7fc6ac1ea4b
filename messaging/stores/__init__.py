"""Where a stage keeps its rows and, in tests, its log: PostgreSQL and memory behind the same ports."""
