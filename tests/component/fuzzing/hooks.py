"""Lets the fuzzer write bodies of NDJSON: whatever it makes of the schema, a line a value."""

from __future__ import annotations

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def ndjson(context: Any, value: Any) -> bytes:
    """The value as lines of JSON; text goes out as it is."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    rows = value if isinstance(value, list) else [value]
    return b"\n".join(json.dumps(row, default=str).encode("utf-8", "replace") for row in rows)
