"""Sends a file's claims through bulk intake in file order and keeps an fsynced journal of what was acknowledged.

A chunk whose answer did not come is sent again under the same keys, which is safe: the key makes the claim.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from hosting.exits import CannotStartError, Exit
from local.replay.nfip import Row, claim_of, policy_of
from schemas.ids import claim_id
from simulators.journal import Journal

CHUNK_ROWS = 250
POLICY_CHUNK_ROWS = 5_000
PATIENCE_SECONDS = 300.0
CLIENT = "replay"


class RefusedError(CannotStartError):
    """Intake refused a row for good, or did not answer for longer than patience lasts."""

    def __init__(self, message: str, code: Exit = Exit.internal) -> None:
        super().__init__(message, code)


@dataclass(slots=True)
class Sent:
    """What came of the sending. Times in seconds of the monotonic clock; `sent_at` per claim id, wall clock."""

    sent_at: dict[str, datetime] = field(default_factory=dict)
    ack_seconds: list[float] = field(default_factory=list)
    repeats: int = 0


class Sender:
    """One run's client. `run_id` is part of every idempotency key, so another run carries new claims."""

    def __init__(self, intake_url: str, policy_url: str, run_id: str, folder: Path) -> None:
        self._policy_url, self.run_id = policy_url, run_id
        self._http = httpx2.AsyncClient(base_url=intake_url, timeout=httpx2.Timeout(30.0))
        self._journal = Journal(folder / f"{run_id}.acknowledged.jsonl")
        self.sent = Sent()

    async def __aenter__(self) -> Sender:
        self._journal.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._journal.close()
        await self._http.aclose()

    def key_of(self, row: Row) -> str:
        """The idempotency key of a row in this run."""
        return f"{self.run_id}:{row['id']}"

    def claim_id_of(self, row: Row) -> str:
        """The claim a row becomes in this run."""
        return str(claim_id(CLIENT, self.key_of(row)))

    async def put_policies(self, rows: Sequence[Row], told: Callable[[int], None]) -> None:
        """One policy per row into the policy system; safe to repeat."""
        async with httpx2.AsyncClient(timeout=60.0) as http:
            for start in range(0, len(rows), POLICY_CHUNK_ROWS):
                chunk = rows[start : start + POLICY_CHUNK_ROWS]
                body = b"\n".join(json.dumps(policy_of(row, self.run_id)).encode() for row in chunk)
                answer = await http.put(
                    f"{self._policy_url}/policies", content=body, headers={"content-type": "application/x-ndjson"}
                )
                refused = answer.json().get("refused") if answer.status_code == 200 else None
                if refused is None or refused:
                    raise RefusedError(f"the policy system refused policies of this file (HTTP {answer.status_code})")
                told(len(chunk))

    async def send(self, rows: Sequence[Row], told: Callable[[int], None], rate: float | None = None) -> None:
        """Every row, chunk after chunk; returns when all are acknowledged and journalled."""
        loop = asyncio.get_running_loop()
        begun, size = loop.time(), CHUNK_ROWS if rate is None else max(1, min(CHUNK_ROWS, int(rate / 10)))
        for start in range(0, len(rows), size):
            if rate is not None:
                await asyncio.sleep(max(0.0, begun + start / rate - loop.time()))
            await self._send_chunk(rows[start : start + size])
            told(min(size, len(rows) - start))

    async def _send_chunk(self, rows: Sequence[Row]) -> None:
        waiting = [
            (self.claim_id_of(row), {"idempotency_key": self.key_of(row), "claim": claim_of(row, self.run_id)})
            for row in rows
        ]
        loop = asyncio.get_running_loop()
        first, patience = loop.time(), loop.time() + PATIENCE_SECONDS
        pause = 0.2
        for claim, _ in waiting:
            self.sent.sent_at[claim] = datetime.now(UTC)
        while waiting:
            taken = await self._post([row for _, row in waiting])
            at = datetime.now(UTC).isoformat()
            done = [claim for claim, _ in waiting if claim in taken]
            await self._journal.append([{"claim_id": claim, "at": at, "run": self.run_id} for claim in done])
            self.sent.ack_seconds += [loop.time() - first] * len(done)
            waiting = [(claim, row) for claim, row in waiting if claim not in taken]
            if not waiting:
                return
            if loop.time() > patience:
                raise RefusedError(
                    f"intake took nothing for {PATIENCE_SECONDS:.0f} s; see claimflow doctor", Exit.try_again
                )
            self.sent.repeats += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, 2.0)

    async def _post(self, rows: Sequence[dict[str, Any]]) -> set[str]:
        """The claim ids acknowledged; an empty set when the answer did not come or asked for patience."""
        body = b"\n".join(json.dumps(row, separators=(",", ":")).encode() for row in rows)
        headers = {"content-type": "application/x-ndjson", "claimflow-client": CLIENT}
        try:
            answer = await self._http.post("/v1/claims:bulk", content=body, headers=headers)
        except httpx2.TransportError:
            return set()
        if answer.status_code in (429, 503) or answer.status_code >= 500:
            return set()
        if answer.status_code != 200:
            raise RefusedError(f"intake refused the request with HTTP {answer.status_code}")
        taken = set()
        for line in answer.content.splitlines():
            result = json.loads(line)
            if result["status"] == 202:
                taken.add(result["claim_id"])
            elif result["status"] not in (409, 429, 503):
                code = result.get("problem", {}).get("code", "")
                raise RefusedError(f"intake refused row {result['row']} with {result['status']} {code}")
        return taken
