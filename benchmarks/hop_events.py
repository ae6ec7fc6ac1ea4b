"""The events of a hop: a reported claim goes in, a registered one comes out. Fixed texts: equal work for all."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from messaging.record import Outgoing, partition_of
from schemas.assessment import ClaimRegistered
from schemas.envelope import Envelope
from schemas.event import encode
from schemas.ids import ClaimId, KeyId, SubjectId, claim_id, claim_reference, event_id
from schemas.intake import ClaimReported, Place, ReportedLine
from schemas.money import Money
from schemas.party import SealedParty
from schemas.policy import PolicySnapshot, PolicyStatus
from schemas.terms import Coverage, Deductible, Operation, Valuation
from schemas.topics import topic_of

READS, WRITES = "intake", "assessment"
_IDS = UUID("6c9a0f4e-0c57-5d59-8a37-4b1d3c2f0a11")
_LOSS_AT = datetime(2012, 10, 29, 22, 30, tzinfo=UTC)
_SEALED_BYTES = 320
"""A sealed person with mail address and account is about as large."""


def inputs(count: int, partitions: int) -> Iterator[Outgoing]:
    """So many reported claims as intake writes them, one event a claim."""
    topic, model = topic_of(READS), _reported()
    for number in range(count):
        claim = claim_id("benchmark", str(number))
        key = str(claim).encode()
        value = encode(model.model_copy(update={"reference": claim_reference(claim)}))
        yield Outgoing(topic, partition_of(key, partitions), key, value, _headers(claim))


def answer() -> ClaimRegistered:
    """What each input is answered with."""
    policy = PolicySnapshot(
        policy_number="FL-000001",
        version_id="1",
        effective_from=_LOSS_AT - timedelta(days=100),
        effective_to=_LOSS_AT + timedelta(days=265),
        status=PolicyStatus.in_force,
        currency="USD",
        line="flood",
        jurisdiction="US-NY",
        coverages=tuple(_coverage(code) for code in ("building", "contents")),
        source_system="benchmark",
        retrieved_at=_LOSS_AT,
    )
    return ClaimRegistered(claim_number="CL-1", policy=policy, snapshot_hash=policy.snapshot_hash())


def _reported() -> ClaimReported:
    money = Money.of_text("43793.00", "USD")
    lines = tuple(ReportedLine(line_id=code, coverage_code=code, asked=money) for code in ("building", "contents"))
    reporter = SealedParty(
        subject_id=SubjectId(uuid5(_IDS, "subject")),
        key_id=KeyId(uuid5(_IDS, "key")),
        box=b64encode(bytes(number % 251 for number in range(_SEALED_BYTES))).decode(),
    )
    return ClaimReported(
        reference=claim_reference(claim_id("benchmark", "0")),
        client="benchmark",
        policy_number="FL-000001",
        line="flood",
        loss_at=_LOSS_AT,
        loss_zone="America/New_York",
        peril="flood",
        place=Place(country="US", admin="36081", postcode="11694"),
        currency="USD",
        lines=lines,
        reporter=reporter,
        language="en",
        channel="benchmark",
        reported_at=_LOSS_AT,
    )


def _coverage(code: str) -> Coverage:
    return Coverage(
        code=code,
        clause_version="SFIP",
        limit=Money.of_text("250000.00", "USD"),
        deductibles=(Deductible(amount=Money.of_text("1000.00", "USD")),),
        valuation=Valuation.ACV,
        operations=(Operation(op="deductible"), Operation(op="limit")),
    )


def _headers(claim: ClaimId) -> list[tuple[str, bytes]]:
    cause = uuid5(claim, "cause")
    envelope = Envelope(
        id=event_id(cause, READS, 0),
        type=ClaimReported.TYPE,
        writer=READS,
        subject=claim,
        time=_LOSS_AT,
        cause_id=cause,
        sequence=1,
    )
    return envelope.to_headers()
