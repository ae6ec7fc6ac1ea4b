"""Reports of a loss as clients send them: JSON bodies of POST /v1/claims that intake accepts, every part overridable.

Give only what a test is about. Nothing here is random; `number` makes reports differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

JsonObject = dict[str, Any]


def money(amount: str, currency: str = "USD") -> JsonObject:
    """Money on the wire."""
    return {"amount": amount, "currency": currency}


def a_party_in_clear(name: str = "Ada Example", **changes: Any) -> JsonObject:
    """A person with a mail address and an account, as a client sends them."""
    fields: JsonObject = {
        "name": name,
        "email": "ada@example.org",
        "language": "en",
        "account": {"holder": name, "account_number": "000123456789", "bank_code": "021000021", "country": "US"},
        "address": {"lines": ["1 Harbour Street"], "city": "Rockaway", "postcode": "11694", "country": "US"},
    }
    return _changed(fields, changes)


def a_line(line_id: str = "1", **changes: Any) -> JsonObject:
    """What is asked under one coverage: 2,200.00 of damage to the building."""
    fields: JsonObject = {"line_id": line_id, "coverage_code": "building", "asked": money("2200.00")}
    return _changed(fields, changes)


def a_report(number: int = 1, **changes: Any) -> JsonObject:
    """A flood report under policy FL-00000<number>. A change of None leaves the field out."""
    fields: JsonObject = {
        "policy_number": f"FL-{number:06d}",
        "line": "flood",
        "loss_at": "2012-10-29T22:30:00-04:00",
        "loss_zone": "America/New_York",
        "peril": "flood",
        "place": {"country": "US", "admin": "36081", "postcode": "11694"},
        "currency": "USD",
        "lines": [a_line()],
        "reporter": a_party_in_clear(),
        "language": "en",
        "channel": "api",
    }
    return _changed(fields, changes)


def a_report_body(number: int = 1, **changes: Any) -> bytes:
    """The report as the bytes of a request."""
    return json.dumps(a_report(number, **changes), ensure_ascii=False).encode()


def bulk_body(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> bytes:
    """NDJSON of (idempotency key, report) rows for POST /v1/claims:bulk."""
    lines = [json.dumps({"idempotency_key": key, "claim": claim}, ensure_ascii=False) for key, claim in rows]
    return "".join(line + "\n" for line in lines).encode()


def _changed(fields: JsonObject, changes: Mapping[str, Any]) -> JsonObject:
    merged = fields | dict(changes)
    return {name: value for name, value in merged.items() if value is not None}
