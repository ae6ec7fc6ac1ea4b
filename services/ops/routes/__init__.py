"""The HTTP side of ops: routes translate between requests and handlers, and hold no rules."""
