"""The load generator, a process of its own: it makes ready, says so, waits for the word and sends.

`python -m benchmarks.load ORDER.json`. Bulk goes as `claimflow replay` sends it; single reports go on a schedule (open
loop) and every latency counts from the intended instant, so a stall of the system is not hidden by waiting for it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx2

from benchmarks.claims import rows
from local.replay.nfip import Row, claim_of
from local.replay.sending import CLIENT, PATIENCE_SECONDS, RefusedError, Sender

REPEAT_EVERY = 20
REPEAT_AFTER_SECONDS = 0.5
RETRY_PAUSE_SECONDS = 0.2
TRY_AGAIN = frozenset({409, 429, 500, 502, 503, 504})
READY, GO = "ready", "go"


@dataclass(frozen=True, slots=True)
class Order:
    """What to send where. `rate` counts for single reports only."""

    mode: Literal["bulk", "single"]
    run_id: str
    count: int
    intake_url: str
    policy_url: str
    journal: str
    claims_file: str
    result_file: str
    rate: float = 0.0


@dataclass(slots=True)
class Result:
    """What came of it. `sent_at` per claim: for single reports the intended instant."""

    cpu_seconds: float = 0.0
    ack_seconds: list[float] = field(default_factory=list)
    sent_at: dict[str, str] = field(default_factory=dict)
    client_repeats: int = 0
    duplicates_absorbed: int = 0
    wrong: list[str] = field(default_factory=list)


class OpenLoop(Sender):
    """Sends single reports at their time, whatever became of those before. Every 20th is sent twice, as by a client
    that lost the answer; the second answer must equal the first."""

    absorbed = 0

    async def send_on_schedule(self, waiting: Sequence[tuple[Row, bytes]], rate: float, wrong: list[str]) -> None:
        """Returns when every report is acknowledged and journalled."""
        loop = asyncio.get_running_loop()
        began, clock = loop.time(), datetime.now(UTC)
        async with asyncio.TaskGroup() as tasks:
            for number, (row, body) in enumerate(waiting):
                due = due_at(number, rate)
                self.sent.sent_at[self.claim_id_of(row)] = clock + timedelta(seconds=due)
                await asyncio.sleep(max(0.0, began + due - loop.time()))
                tasks.create_task(self._report(row, body, began + due, number % REPEAT_EVERY == 0, wrong))

    async def _report(self, row: Row, body: bytes, due: float, twice: bool, wrong: list[str]) -> None:
        loop, claim = asyncio.get_running_loop(), self.claim_id_of(row)
        first = await self._until_taken(row, body)
        self.sent.ack_seconds.append(loop.time() - due)
        at = datetime.now(UTC).isoformat()
        await self._journal.append([{"claim_id": claim, "at": at, "run": self.run_id}])
        if json.loads(first)["claim_id"] != claim:
            wrong.append("a report was acknowledged as another claim")
        if twice:
            await asyncio.sleep(REPEAT_AFTER_SECONDS)
            if await self._until_taken(row, body) == first:
                self.absorbed += 1
            else:
                wrong.append("a repeated report got another answer")

    async def _until_taken(self, row: Row, body: bytes) -> bytes:
        headers = {"content-type": "application/json", "idempotency-key": self.key_of(row), "claimflow-client": CLIENT}
        patience = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < patience:
            try:
                answer = await self._http.post("/v1/claims", content=body, headers=headers)
            except httpx2.TransportError:
                status = 503
            else:
                status = answer.status_code
                if status == 202:
                    return answer.content
            if status not in TRY_AGAIN:
                raise RefusedError(f"intake refused a report with HTTP {status}")
            self.sent.repeats += 1
            await asyncio.sleep(RETRY_PAUSE_SECONDS)
        raise RefusedError(f"intake took nothing for {PATIENCE_SECONDS:.0f} s")


def due_at(number: int, rate: float) -> float:
    """When the n-th report is due, in seconds after the first."""
    return number / rate


async def carry_out(order: Order) -> Result:
    """Policies, the claims' ids for whoever follows them, the word, the load."""
    claims, result = rows(order.count), Result()
    sender = OpenLoop(order.intake_url, order.policy_url, order.run_id, Path(order.journal))
    async with sender:
        await sender.put_policies(claims, lambda count: None)
        bodies = [(row, _json(claim_of(row))) for row in claims] if order.mode == "single" else []
        Path(order.claims_file).write_text(json.dumps([sender.claim_id_of(row) for row in claims]))
        await _the_word()
        spent = time.process_time()
        if order.mode == "single":
            await sender.send_on_schedule(bodies, order.rate, result.wrong)
        else:
            await sender.send(claims, lambda count: None)
        result.cpu_seconds = time.process_time() - spent
        result.ack_seconds = sender.sent.ack_seconds
        result.sent_at = {claim: at.isoformat() for claim, at in sender.sent.sent_at.items()}
        result.client_repeats, result.duplicates_absorbed = sender.sent.repeats, sender.absorbed
    return result


async def _the_word() -> None:
    print(READY, flush=True)
    line = await asyncio.to_thread(sys.stdin.readline)
    if line.strip() != GO:
        raise RefusedError("nobody gave the word")


def _json(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _leaves(group: BaseExceptionGroup[RefusedError]) -> Iterator[RefusedError]:
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from _leaves(one)
        else:
            yield one


def main() -> int:
    """The exit code: 0, or that of the refusal, whose reason is one line on standard error."""
    import uvloop

    order = Order(**json.loads(Path(sys.argv[1]).read_text()))
    refusal: RefusedError | None = None
    result = Result()
    try:
        result = uvloop.run(carry_out(order))
    except* RefusedError as refused:
        refusal = next(_leaves(refused))
    if refusal is not None:
        print(refusal, file=sys.stderr)
        return 1
    Path(order.result_file).write_text(json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
