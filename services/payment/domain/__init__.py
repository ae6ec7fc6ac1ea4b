"""What payment decides: pure, without clock, database, bank or log."""
