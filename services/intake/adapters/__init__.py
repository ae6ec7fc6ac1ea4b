"""Intake's ports filled in: idempotency keys on PostgreSQL and in memory."""
