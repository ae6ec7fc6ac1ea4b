"""The core policy system over HTTP: many policies in one request, one deadline, a breaker, and no exception out of it.

Every fault of the other side is the finding `unavailable`, so that a slow or dead policy system is a state of the
claims that asked, never a stop.
"""

from __future__ import annotations

import json
from asyncio import timeout
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx2
import structlog

from hosting.breaker import Breaker
from services.assessment.adapters.policy_rows import finding_of
from services.assessment.adapters.policy_terms import PolicyTerms
from services.assessment.domain.policies import PolicyFinding, PolicyKey, PolicyMissing

QUERIES_MAX = 1_000
ANSWER_BYTES_MAX = 32 * 1024 * 1024
RETRY_AFTER_SECONDS_MAX = 3_600.0

_log = structlog.get_logger(__name__)


class _NoAnswerError(Exception):
    """The other side gave no usable answer; says in one word why, and how long it asked to be left alone."""

    def __init__(self, why: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(why)
        self.why, self.retry_after_seconds = why, retry_after_seconds


class HttpPolicyBook:
    """See `PolicyBook`. `client` is bound to the policy system's base URL and keeps its connections."""

    def __init__(
        self, client: httpx2.AsyncClient, terms: PolicyTerms, breaker: Breaker, now: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._terms = terms
        self.breaker = breaker
        self._now = now

    async def get_many(self, keys: Collection[PolicyKey], timeout_seconds: float) -> Mapping[PolicyKey, PolicyFinding]:
        asked = list(dict.fromkeys(keys))
        found: dict[PolicyKey, PolicyFinding] = dict.fromkeys(asked, PolicyMissing.unavailable)
        try:
            async with timeout(timeout_seconds):
                for start in range(0, len(asked), QUERIES_MAX):
                    chunk = asked[start : start + QUERIES_MAX]
                    found.update(await self._ask(chunk))
        except TimeoutError:
            _log.warning("the policy system did not answer in time", seconds=timeout_seconds)
        return found

    async def _ask(self, chunk: Sequence[PolicyKey]) -> dict[PolicyKey, PolicyFinding]:
        """One request, reported to the breaker however it ends; nothing is found while the breaker is open."""
        if self.breaker.admit() > 0:
            return {}
        try:
            results = await self._post(chunk)
        except _NoAnswerError as none:
            self.breaker.failed(none.retry_after_seconds)
            _log.warning("the policy system gave no answer", reason=none.why)
            return {}
        except BaseException:
            # The deadline, a shutdown, or a fault of ours: the trial must end, and the cause goes its way.
            self.breaker.failed()
            raise
        self.breaker.succeeded()
        now = self._now()
        return {key: finding_of(result, key, self._terms, now) for key, result in zip(chunk, results, strict=True)}

    async def _post(self, chunk: Sequence[PolicyKey]) -> list[Any]:
        queries = [{"policy_number": key.policy_number, "as_of": key.as_of.isoformat()} for key in chunk]
        try:
            async with self._client.stream("POST", "/policies:lookup", json={"queries": queries}) as response:
                if response.status_code != 200:
                    raise _NoAnswerError(f"status {response.status_code}", _retry_after(response))
                body = await _bounded(response)
        except httpx2.HTTPError as error:
            raise _NoAnswerError(type(error).__name__) from None
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise _NoAnswerError("not JSON") from None
        results = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(results, list) or len(results) != len(chunk):
            raise _NoAnswerError("not one result per query")
        return results


async def _bounded(response: httpx2.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > ANSWER_BYTES_MAX:
            raise _NoAnswerError("answer too large")
        parts.append(part)
    return b"".join(parts)


def _retry_after(response: httpx2.Response) -> float:
    """Seconds of a Retry-After header; its date form counts as none."""
    said = response.headers.get("retry-after", "")
    return min(float(said), RETRY_AFTER_SECONDS_MAX) if said.isascii() and said.isdigit() else 0.0
