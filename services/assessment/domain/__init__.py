"""The pure core: takes values, returns events; no clock, no id, no I/O."""
