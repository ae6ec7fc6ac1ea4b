"""One suite for the tables of papers, withdrawals, request keys and drafts, in memory and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from hosting.database import open_engine
from hosting.migrate import migrate
from messaging.ports import Store
from messaging.stores.store_memory import MemoryStore
from messaging.stores.store_sql import SqlStore
from schemas.ids import ClaimId, claim_id, claim_reference
from services.intake.adapters.drafts_memory import MemoryDraftRows
from services.intake.adapters.drafts_sql import SqlDraftRows
from services.intake.adapters.keys_memory import MemoryKeyRows
from services.intake.adapters.keys_sql import SqlKeyRows
from services.intake.adapters.papers_memory import MemoryPaperRows, MemoryRequestKeys, MemoryWithdrawals
from services.intake.adapters.papers_sql import SqlPaperRows, SqlRequestKeys, SqlWithdrawals
from services.intake.app import MIGRATIONS
from services.intake.domain.checks import Fault
from services.intake.domain.drafts import Submitted
from services.intake.domain.papers import Paper, StoredPaper, Withdrawal, document_id
from services.intake.ports import DraftRows, KeyRow, KeyRows, PaperRows, RequestKey, RequestKeys, Withdrawals
from tests.builders.drafts import NOW, a_draft_row

CLAIM = claim_id("default", "key-1")


@dataclass(frozen=True)
class Kept:
    """The tables of one kind of store."""

    store: Store
    keys: KeyRows
    requests: RequestKeys
    papers: PaperRows
    withdrawals: Withdrawals
    drafts: DraftRows


@pytest.fixture(params=["memory", pytest.param("sql", marks=pytest.mark.database)])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    if request.param == "memory":
        rows = (MemoryKeyRows(), MemoryRequestKeys(), MemoryPaperRows(), MemoryWithdrawals(), MemoryDraftRows())
        yield Kept(MemoryStore(), *rows)
        return
    engine = open_engine(request.getfixturevalue("database_url"), "test")
    await migrate(engine, MIGRATIONS, "intake_version")
    yield Kept(SqlStore(engine), SqlKeyRows(), SqlRequestKeys(), SqlPaperRows(), SqlWithdrawals(), SqlDraftRows())
    await engine.dispose()


def a_paper(number: int = 1, claim: ClaimId = CLAIM, **changes: Any) -> StoredPaper:
    sha256 = f"{number:064x}"
    fields: dict[str, Any] = {"kind": "estimate", "media_type": "application/pdf", "sha256": sha256, "size_bytes": 7}
    paper = Paper(**fields | changes)
    return StoredPaper(document_id(claim, sha256), claim, paper, NOW + timedelta(seconds=number))


def a_request(key: str = "k", digest: bytes = b"\x01" * 32, **changes: Any) -> RequestKey:
    fields: dict[str, Any] = {"client": "default", "purpose": "paper", "key": key, "claim_id": CLAIM}
    return RequestKey(**fields | {"request_sha256": digest, "recorded_at": NOW} | changes)


async def test_a_paper_is_stored_once_and_keeps_what_was_told_first(kept: Kept) -> None:
    first, again = a_paper(line_id="1"), a_paper(kind="invoice")
    async with kept.store.begin() as tx:
        assert await kept.papers.find(tx, first.document_id) is None
        assert await kept.papers.add(tx, first) is None

    async with kept.store.begin() as tx:
        assert await kept.papers.add(tx, again) == first
        assert await kept.papers.find(tx, first.document_id) == first


async def test_a_claims_papers_come_in_the_order_they_were_received_and_no_others(kept: Kept) -> None:
    other = claim_id("default", "key-2")
    rows = [a_paper(3), a_paper(1), a_paper(2), a_paper(1, other)]

    async with kept.store.begin() as tx:
        for row in rows:
            await kept.papers.add(tx, row)
        found = await kept.papers.of_claim(tx, CLAIM, 10)
        few = await kept.papers.of_claim(tx, CLAIM, 2)

    assert found == [a_paper(1), a_paper(2), a_paper(3)]
    assert few == found[:2]


async def test_two_transactions_that_store_one_paper_make_one(kept: Kept) -> None:
    async def add(kind: str) -> StoredPaper | None:
        async with kept.store.begin() as tx:
            return await kept.papers.add(tx, a_paper(kind=kind))

    results = await asyncio.gather(*(add(f"kind-{number}") for number in range(4)))

    assert results.count(None) == 1
    assert len({row.paper.kind for row in results if row is not None}) == 1


async def test_a_request_key_keeps_the_hash_of_its_first_request(kept: Kept) -> None:
    async with kept.store.begin() as tx:
        before = await kept.requests.find(tx, a_request())
        first = await kept.requests.reserve(tx, a_request())
        second = await kept.requests.reserve(tx, a_request(digest=b"\x02" * 32))
        found = await kept.requests.find(tx, a_request(digest=b"\x03" * 32))

    assert (before, first, second, found) == (None, b"\x01" * 32, b"\x01" * 32, b"\x01" * 32)


@pytest.mark.parametrize("changes", [{"client": "other"}, {"purpose": "withdrawal"}, {"key": "l"}])
async def test_keys_of_other_clients_and_purposes_are_other_keys(kept: Kept, changes: dict[str, Any]) -> None:
    async with kept.store.begin() as tx:
        await kept.requests.reserve(tx, a_request())

        digest = await kept.requests.reserve(tx, a_request(**{"digest": b"\x02" * 32} | changes))

    assert digest == b"\x02" * 32


async def test_the_first_withdrawal_stands(kept: Kept) -> None:
    first, second = Withdrawal(CLAIM, None, NOW), Withdrawal(CLAIM, "changed-mind", NOW + timedelta(days=1))

    async with kept.store.begin() as tx:
        nothing = await kept.withdrawals.find(tx, CLAIM)
        fresh = await kept.withdrawals.add(tx, first)
        again = await kept.withdrawals.add(tx, second)

    assert (nothing, fresh, again) == (None, None, first)


async def test_a_claim_is_found_by_its_reference_and_no_other_is(kept: Kept) -> None:
    claims = [claim_id("default", f"key-{number}") for number in range(50)]
    rows = [KeyRow(claim, "default", f"key-{n}", b"\x01" * 32, "http://x", NOW) for n, claim in enumerate(claims)]

    async with kept.store.begin() as tx:
        await kept.keys.reserve(tx, rows)
        found = [await kept.keys.find_reference(tx, claim_reference(claim)) for claim in claims]
        unknown = await kept.keys.find_reference(tx, claim_reference(claim_id("default", "unknown")))

    assert found == [[row] for row in rows]
    assert unknown == []


async def test_a_draft_comes_back_as_it_was_stored_by_id_and_by_number(kept: Kept) -> None:
    warnings = (Fault("/reporter/account", "missing", "nobody can be paid without an account", "pay"),)
    plain = a_draft_row()
    done = a_draft_row("draft-2", submitted=Submitted(NOW, b"\x02" * 32, warnings))

    async with kept.store.begin() as tx:
        assert [await kept.drafts.add(tx, row) for row in (plain, done)] == [None, None]
    async with kept.store.begin() as tx:
        assert await kept.drafts.find(tx, plain.draft_id) == plain
        assert await kept.drafts.find(tx, done.number) == done
        assert await kept.drafts.find(tx, "DR-0000-0000-0000-0") is None
        assert await kept.drafts.add(tx, replace(plain, version=9)) == plain


async def test_a_draft_is_replaced_only_in_the_version_it_was_read_in(kept: Kept) -> None:
    row = a_draft_row()
    second, rival = replace(row, version=2, body={"a": "1"}), replace(row, version=2, body={"b": "2"})
    async with kept.store.begin() as tx:
        await kept.drafts.add(tx, row)

    async with kept.store.begin() as tx:
        done = await kept.drafts.replace(tx, second, 1)
    async with kept.store.begin() as tx:
        late = await kept.drafts.replace(tx, rival, 1)
        gone = await kept.drafts.replace(tx, a_draft_row("draft-9"), 1)
        found = await kept.drafts.find(tx, row.draft_id)

    assert (done, late, gone) == (True, False, False)
    assert found == second


async def test_expired_drafts_are_deleted_in_bounded_steps_the_oldest_first(kept: Kept) -> None:
    rows = [a_draft_row(f"draft-{n}", expires_at=NOW + timedelta(days=n)) for n in range(5)]
    async with kept.store.begin() as tx:
        for row in rows:
            await kept.drafts.add(tx, row)

    async with kept.store.begin() as tx:
        first = await kept.drafts.purge(tx, NOW + timedelta(days=2, hours=1), 2)
        second = await kept.drafts.purge(tx, NOW + timedelta(days=2, hours=1), 2)
        left = [await kept.drafts.find(tx, row.draft_id) for row in rows]

    assert (first, second) == (2, 1)
    assert left == [None, None, None, rows[3], rows[4]]


async def test_a_rollback_leaves_nothing(kept: Kept) -> None:
    with pytest.raises(RuntimeError, match="cut"):
        async with kept.store.begin() as tx:
            await kept.papers.add(tx, a_paper())
            await kept.withdrawals.add(tx, Withdrawal(CLAIM, None, NOW))
            await kept.requests.reserve(tx, a_request())
            await kept.drafts.add(tx, a_draft_row())
            raise RuntimeError("cut")

    async with kept.store.begin() as tx:
        assert await kept.papers.of_claim(tx, CLAIM, 10) == []
        assert await kept.withdrawals.find(tx, CLAIM) is None
        assert await kept.requests.find(tx, a_request()) is None
        assert await kept.drafts.find(tx, a_draft_row().draft_id) is None


@pytest.mark.database
async def test_the_index_of_references_is_used(database_url: str) -> None:
    from sqlalchemy import text

    from services.intake.adapters import keys_sql

    engine = open_engine(database_url, "test")
    await migrate(engine, MIGRATIONS, "intake_version")
    async with engine.begin() as connection:
        await connection.execute(text("SET enable_seqscan = off"))
        asked = text("EXPLAIN " + str(keys_sql.FIND_REFERENCE))
        plan = [row[0] for row in await connection.execute(asked, {"first": b"\0" * 8, "last": b"\0" * 8})]
    await engine.dispose()

    assert any("idempotency_keys_reference" in line for line in plan), plan
