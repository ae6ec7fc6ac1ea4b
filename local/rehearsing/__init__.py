"""Rehearses changes of rules: reads what was recorded, decides it again under a draft, and writes to nothing."""
