"""The ports of ops over PostgreSQL, memory, a file of people, the key ring and the log."""
