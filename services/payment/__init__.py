"""Payment: pays what was approved, once, and proves it in a double-entry ledger."""
