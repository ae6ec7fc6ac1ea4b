"""Lets the fuzzer write bodies of NDJSON, and ask about a claim and a draft there are, every other time."""

from __future__ import annotations

import json
import os
from typing import Any

import schemathesis

KNOWN = json.loads(os.environ.get("FUZZ_KNOWN", "{}"))
"""What stands in the place of a path's parameter of this name."""


@schemathesis.serializer("application/x-ndjson")
def ndjson(context: Any, value: Any) -> bytes:
    """The value as lines of JSON; text goes out as it is."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    rows = value if isinstance(value, list) else [value]
    return b"\n".join(json.dumps(row, default=str).encode("utf-8", "replace") for row in rows)


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Random names are unknown ones: those of odd length become known, so that what comes after is met too."""
    if not isinstance(path_parameters, dict):
        return path_parameters
    return {
        name: KNOWN[name] if name in KNOWN and isinstance(value, str) and len(value) % 2 else value
        for name, value in path_parameters.items()
    }
