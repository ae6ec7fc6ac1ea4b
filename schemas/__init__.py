"""The language of the system: money, ids, the record on the wire, and every event. No I/O; importable by anyone."""
