"""Replays real flood claims through a running system, reports how it went, and proves that nothing was lost."""
