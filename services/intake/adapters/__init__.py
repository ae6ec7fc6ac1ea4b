"""Intake's ports filled in: its tables on PostgreSQL and in memory, papers in an object store."""
