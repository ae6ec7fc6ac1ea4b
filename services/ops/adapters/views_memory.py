"""The views in memory: for tests and the simulation, undone with their transaction like the real ones."""

from __future__ import annotations

from collections.abc import Collection

from messaging.ports import Tx
from schemas.ids import ClaimId
from services.ops.domain.claim_view import ClaimView
from services.ops.domain.timeline import KnownId, TimelineEntry
from services.ops.ports import PartyRow, ViewChanges

CLAIMS, EVENTS, IDS, PARTIES = "view_claims", "view_events", "view_ids", "view_parties"


class MemoryViews:
    """See `Views`."""

    async def load(self, tx: Tx, claim_ids: Collection[ClaimId]) -> dict[ClaimId, ClaimView]:
        rows = tx.table(CLAIMS)
        return {claim_id: rows[claim_id] for claim_id in claim_ids if claim_id in rows}

    async def save(self, tx: Tx, changes: ViewChanges) -> None:
        claims, parties = tx.table(CLAIMS), tx.table(PARTIES)
        for view in changes.claims:
            claims[view.claim_id] = view
        events, by_claim = tx.table(EVENTS), tx.table(f"{EVENTS}_by_claim")
        for entry in changes.entries:
            if entry.event_id not in events:
                events[entry.event_id] = entry
                by_claim[entry.claim_id] = (*by_claim.get(entry.claim_id, ()), entry)
        ids = tx.table(IDS)
        for known in changes.ids:
            ids[(known.id, known.kind, known.claim_id)] = known
        for party in changes.parties:
            parties.setdefault((party.claim_id, party.who), party)

    async def by_reference(self, tx: Tx, reference: str) -> list[ClaimView]:
        return [view for view in _in_order(tx) if view.reference == reference][:2]

    async def listed(self, tx: Tx, state: str | None, after: ClaimId | None, limit: int) -> list[ClaimView]:
        later = (view for view in _in_order(tx) if after is None or view.claim_id > after)
        return [view for view in later if state is None or view.state == state][:limit]

    async def counts(self, tx: Tx) -> dict[str, int]:
        found: dict[str, int] = {}
        for view in tx.table(CLAIMS).values():
            found[view.state] = found.get(view.state, 0) + 1
        return found

    async def timeline(self, tx: Tx, claim_id: ClaimId, skip: int, limit: int) -> list[TimelineEntry]:
        entries: tuple[TimelineEntry, ...] = tx.table(f"{EVENTS}_by_claim").get(claim_id, ())
        in_order = sorted(entries, key=lambda entry: (entry.appended_at, entry.time, entry.sequence))
        return in_order[skip : skip + limit]

    async def parties(self, tx: Tx, claim_id: ClaimId) -> list[PartyRow]:
        rows = tx.table(PARTIES)
        return [rows[claim_id, who] for who in ("reporter", "payee") if (claim_id, who) in rows]

    async def look_up(self, tx: Tx, text: str, limit: int) -> list[KnownId]:
        found = {known for (known_id, _, _), known in tx.table(IDS).items() if known_id == text}
        found |= {
            KnownId(text, "event", one.claim_id) for one in tx.table(EVENTS).values() if str(one.event_id) == text
        }
        for view in tx.table(CLAIMS).values():
            if view.policy_number == text:
                found.add(KnownId(text, "policy", view.claim_id))
            if str(view.claim_id) == text:
                found.add(KnownId(text, "claim", view.claim_id))
        for party in tx.table(PARTIES).values():
            if str(party.sealed.subject_id) == text:
                found.add(KnownId(text, "subject", party.claim_id))
        return sorted(found, key=lambda one: (one.claim_id, one.kind))[:limit]

    async def drop(self, tx: Tx) -> None:
        for name in (CLAIMS, EVENTS, f"{EVENTS}_by_claim", IDS, PARTIES):
            tx.table(name).clear()


def _in_order(tx: Tx) -> list[ClaimView]:
    rows = tx.table(CLAIMS)
    return [rows[claim_id] for claim_id in sorted(rows)]
