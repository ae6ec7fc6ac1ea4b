"""One suite for payment's files and ledger, in memory and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from hosting.database import open_engine
from hosting.migrate import downgrade, migrate, upgrade
from messaging.ports import Store
from messaging.stores.store_memory import MemoryStore
from messaging.stores.store_sql import SqlStore
from schemas.decision import CostType, ReserveLine
from schemas.ids import ClaimId, LedgerTransferId
from schemas.money import Money
from schemas.payment import HoldReason, PaymentKind
from services.payment.adapters.files_memory import FileBookMemory
from services.payment.adapters.files_sql import FileBookSql
from services.payment.adapters.ledger_memory import LedgerBookMemory
from services.payment.adapters.ledger_sql import LedgerBookSql
from services.payment.app import MIGRATIONS
from services.payment.domain.bank import Executed
from services.payment.domain.files import ClaimFile, Instruction, PaymentStatus, Reserve
from services.payment.domain.ledger import DuplicateTransferError, Posting, Purpose, Transfer, imbalance
from services.payment.domain.reserving import release, set_aside
from services.payment.domain.settlement import settle
from services.payment.ports import FileBook, LedgerBook
from tests.builders.events import REPORTED_AT, a_claim_approved, a_claim_id, a_decision, a_sealed_party, an_id, usd
from tests.builders.payments import an_order, approved

VERSIONS = "payment_version"


@dataclass
class Books:
    store: Store
    files: FileBook
    ledger: LedgerBook

    async def keep(self, *files: ClaimFile) -> None:
        """What the handler's save does."""
        async with self.store.begin() as tx:
            await self.files.save(files, tx)
            await self.ledger.append([transfer for file in files for transfer in file.posted], tx)

    async def file(self, claim: ClaimId) -> ClaimFile:
        async with self.store.begin() as tx:
            return (await self.files.load([claim], tx))[claim]

    async def totals(self) -> dict[tuple[str, str], int]:
        async with self.store.begin() as tx:
            return await self.ledger.totals(tx)


OpenBooks = Callable[[Callable[[Books], Awaitable[None]]], None]


@pytest.fixture(params=["memory", pytest.param("sql", marks=pytest.mark.database)])
def with_books(request: pytest.FixtureRequest) -> Iterator[OpenBooks]:
    """Runs a coroutine function with fresh books."""
    if request.param == "memory":
        books = Books(MemoryStore(), FileBookMemory(), LedgerBookMemory())
        yield lambda run: asyncio.run(_as_coroutine(run, books))
        return
    url: str = request.getfixturevalue("database_url")

    async def over_sql(run: Callable[[Books], Awaitable[None]]) -> None:
        async with sql_store(url) as store:
            await run(Books(store, FileBookSql(), LedgerBookSql()))

    yield lambda run: asyncio.run(over_sql(run))


async def _as_coroutine(run: Callable[[Books], Awaitable[None]], books: Books) -> None:
    await run(books)


@asynccontextmanager
async def sql_store(url: str) -> AsyncIterator[SqlStore]:
    engine = open_engine(url, "payment-test")
    try:
        await migrate(engine, MIGRATIONS, VERSIONS)
        yield SqlStore(engine)
    finally:
        await engine.dispose()


def a_file(number: int = 1) -> ClaimFile:
    """Reported, nothing approved yet."""
    return ClaimFile(a_claim_id(number)).with_payee("CF-0000-0000-0000-0", a_sealed_party())


def an_approved_file(number: int = 1, payable: str = "1200.00") -> ClaimFile:
    told = a_claim_approved(a_decision(payable, name=f"decision-{number}"))
    return approved(a_file(number), told.decision, told.reserves)[1]


def without_news(file: ClaimFile) -> ClaimFile:
    return replace(file, stored=file.reserves, touched=frozenset(), named=False, posted=())


def a_transfer(name: str = "t", amount: str = "1.00") -> Transfer:
    postings = (Posting("bank", usd(amount)), Posting("suspense", -usd(amount)))
    return Transfer(LedgerTransferId(an_id(name)), a_claim_id(), Purpose.paid, postings, REPORTED_AT)


def test_an_unknown_claim_has_an_empty_file(with_books: OpenBooks) -> None:
    async def run(books: Books) -> None:
        assert await books.file(a_claim_id()) == ClaimFile(a_claim_id())

    with_books(run)


def test_files_come_back_as_they_were_saved(with_books: OpenBooks) -> None:
    async def run(books: Books) -> None:
        files = [an_approved_file(number) for number in range(1, 6)] + [a_file(6)]

        await books.keep(*files)

        async with books.store.begin() as tx:
            found = await books.files.load([file.claim_id for file in files], tx)
        assert found == {file.claim_id: without_news(file) for file in files}

    with_books(run)


def test_reserves_are_replaced_by_what_they_became_down_to_none(with_books: OpenBooks) -> None:
    async def run(books: Books) -> None:
        lines = [
            ReserveLine(coverage_code="building", amount=usd("900.00")),
            ReserveLine(coverage_code="building", cost_type=CostType.expense, amount=Money(7_000, "JPY")),
        ]
        file = set_aside(ClaimFile(a_claim_id()), lines, an_id("one"), REPORTED_AT)
        await books.keep(file)
        found = await books.file(a_claim_id())
        assert found == without_news(file)

        await books.keep(set_aside(found, lines[:1], an_id("two"), REPORTED_AT))
        fewer = await books.file(a_claim_id())
        assert fewer.reserves == (Reserve("reserves:building", usd("900.00")),)
        assert fewer.payee is None

        await books.keep(release(fewer, an_id("three"), REPORTED_AT))
        assert await books.file(a_claim_id()) == ClaimFile(a_claim_id())
        assert not any((await books.totals()).values())

    with_books(run)


def test_an_advance_and_its_final_payment_come_back_with_what_they_drew(with_books: OpenBooks) -> None:
    async def run(books: Books) -> None:
        lines = [ReserveLine(coverage_code="building", amount=usd("900.00"))]
        _, advanced = approved(a_file(), a_decision("300.00", name="advance"), lines, PaymentKind.partial)
        await books.keep(advanced)

        _, file = approved(await books.file(a_claim_id()), a_decision("700.00"), lines)
        await books.keep(file)

        found = await books.file(a_claim_id())
        assert {(one.kind, one.amount) for one in found.payments} == {
            (PaymentKind.partial, usd("300.00")),
            (PaymentKind.final, usd("400.00")),
        }
        assert found.drawn() == {("reserves:building", "USD"): 70_000}
        assert found.reserves == (Reserve("reserves:building", usd("200.00")),)

    with_books(run)


def test_what_became_of_a_payment_replaces_what_was_stored(with_books: OpenBooks) -> None:
    async def run(books: Books) -> None:
        await books.keep(an_approved_file())
        before = await books.file(a_claim_id())
        done = Executed(usd("1200.00"), "BK1", REPORTED_AT)

        _, after = settle(before, an_order(before), done, 1, REPORTED_AT)
        await books.keep(after)

        [payment] = (await books.file(a_claim_id())).payments
        assert payment.status is PaymentStatus.paid
        assert payment.instruction is not None and payment.instruction.bank_reference == "BK1"
        totals = await books.totals()
        assert totals["bank", "USD"] == -120_000 and totals["bank-clearing", "USD"] == 0

    with_books(run)


def test_a_payment_held_before_booking_comes_back_without_instruction(with_books: OpenBooks) -> None:
    async def run(books: Books) -> None:
        nobody = ClaimFile(a_claim_id())
        told = a_claim_approved()

        await books.keep(approved(nobody, told.decision, told.reserves)[1])

        [payment] = (await books.file(a_claim_id())).payments
        assert (payment.status, payment.hold_reason) == (PaymentStatus.held, HoldReason.account_missing)
        assert payment.instruction is None and payment.draws == ()

    with_books(run)


def test_totals_are_zero_together_and_no_transfer_is_unbalanced(with_books: OpenBooks) -> None:
    async def run(books: Books) -> None:
        await books.keep(*(an_approved_file(number, f"{number}.0{number}") for number in range(1, 10)))

        async with books.store.begin() as tx:
            unbalanced = await books.ledger.unbalanced(tx)

        assert unbalanced == [] and imbalance(await books.totals()) == {}

    with_books(run)


def test_a_transfer_posted_twice_is_refused_and_undoes_its_transaction(with_books: OpenBooks) -> None:
    async def run(books: Books) -> None:
        await books.keep(an_approved_file())
        before = await books.totals()

        with pytest.raises((DuplicateTransferError, DBAPIError)):
            async with books.store.begin() as tx:
                await books.ledger.append([a_transfer("new"), *an_approved_file().posted], tx)

        assert await books.totals() == before

    with_books(run)


def test_a_statement_lists_a_claims_postings_in_the_order_booked(with_books: OpenBooks) -> None:
    async def run(books: Books) -> None:
        await books.keep(an_approved_file(1), an_approved_file(2))

        async with books.store.begin() as tx:
            lines = await books.ledger.statement(a_claim_id(2), tx)

        assert [line.purpose for line in lines] == ["reserve", "reserve", "payable", "payable"] + ["instructed"] * 2
        assert {line.claim_id for line in lines} == {a_claim_id(2)}

    with_books(run)


def test_all_payments_are_paged_through_by_id(with_books: OpenBooks) -> None:
    async def run(books: Books) -> None:
        files = [an_approved_file(number) for number in range(1, 8)]
        await books.keep(*files)

        async with books.store.begin() as tx:
            first = await books.files.payments(tx, None, 4)
            rest = await books.files.payments(tx, first[-1][1].payment_id, 4)

        every = [(file.claim_id, payment) for file in files for payment in file.payments]
        expected = sorted(every, key=lambda one: one[1].payment_id)
        assert [*first, *rest] == expected

    with_books(run)


@pytest.mark.database
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_postings SET amount_minor = amount_minor + 1",
        "DELETE FROM ledger_postings",
        "TRUNCATE ledger_postings",
        "UPDATE ledger_transfers SET purpose = 'other'",
        "DELETE FROM ledger_transfers",
        "TRUNCATE ledger_transfers",
    ],
)
def test_the_database_refuses_to_change_the_ledger(statement: str, database_url: str) -> None:
    async def run() -> None:
        async with sql_store(database_url) as store:
            await Books(store, FileBookSql(), LedgerBookSql()).keep(an_approved_file())

            with pytest.raises(DBAPIError, match="append-only"):
                async with store.engine.begin() as connection:
                    await connection.execute(text(statement))

    asyncio.run(run())


@pytest.mark.database
@pytest.mark.parametrize(
    ("posting", "rule"),
    [
        ("(:id, 'bank', 'USD', 5), (:id, 'suspense', 'USD', -4)", "must be equal"),
        ("(:id, 'bank', 'USD', 5), (:id, 'suspense', 'EUR', -5)", "must be equal"),
        ("(:id, 'bank', 'USD', 5), (:id, 'suspense', 'USD', -3), (:id, 'claims-payable', 'USD', -2)", "whole, once"),
        ("(:other, 'bank', 'USD', 5), (:other, 'suspense', 'USD', -5)", "whole, once"),
        ("(:old, 'claims-payable', 'USD', 5), (:old, 'bank-clearing', 'USD', -5)", "whole, once"),
    ],
)
def test_the_database_refuses_postings_that_break_a_rule(posting: str, rule: str, database_url: str) -> None:
    async def run() -> None:
        async with sql_store(database_url) as store:
            async with store.begin() as tx:
                await LedgerBookSql().append([a_transfer("old")], tx)
            names = {"id": an_id("new"), "other": an_id("never"), "old": an_id("old")}
            wanted = {name: one for name, one in names.items() if f":{name}" in posting}

            with pytest.raises(DBAPIError, match=rule):
                async with store.engine.begin() as connection:
                    await connection.execute(
                        text(
                            "INSERT INTO ledger_transfers (transfer_id, claim_id, purpose, postings, booked_at) "
                            "VALUES (:id, :id, 'paid', 2, now())"
                        ),
                        {"id": an_id("new")},
                    )
                    await connection.execute(
                        text(
                            "INSERT INTO ledger_postings (transfer_id, account, currency, amount_minor) "
                            f"VALUES {posting}"
                        ),
                        wanted,
                    )

    asyncio.run(run())


@pytest.mark.database
def test_one_end_to_end_id_stands_for_one_instruction(database_url: str) -> None:
    async def run() -> None:
        async with sql_store(database_url) as store:
            books = Books(store, FileBookSql(), LedgerBookSql())
            await books.keep(an_approved_file())
            [payment] = (await books.file(a_claim_id())).payments
            assert payment.instruction is not None
            other = Instruction.of(payment.payment_id, 2, payment.amount)
            reused = replace(other, end_to_end_id=payment.instruction.end_to_end_id)

            with pytest.raises(DBAPIError, match="end_to_end_id"):
                await books.keep(ClaimFile(a_claim_id()).put(replace(payment, instruction=reused)))

    asyncio.run(run())


@pytest.mark.database
def test_the_migration_goes_up_down_and_up(database_url: str) -> None:
    async def run() -> None:
        async with sql_store(database_url) as store, store.engine.begin() as connection:
            await connection.run_sync(downgrade, MIGRATIONS, VERSIONS)
            await connection.run_sync(upgrade, MIGRATIONS, VERSIONS)

            left = await connection.scalar(text("SELECT count(*) FROM ledger_transfers"))

        assert left == 0

    asyncio.run(run())


@pytest.mark.database
def test_reserves_of_a_ledger_that_was_kept_before_are_taken_over(database_url: str) -> None:
    async def run() -> None:
        async with sql_store(database_url) as store:
            books = Books(store, FileBookSql(), LedgerBookSql())
            lines = [ReserveLine(coverage_code="building", amount=usd("900.00"))]
            await books.keep(approved(a_file(), a_decision("700.00"), lines)[1], an_approved_file(2))
            kept = await books.file(a_claim_id())
            async with store.engine.begin() as connection:
                await connection.execute(text("DROP TABLE reserves"))
                await connection.execute(
                    text("""UPDATE payments SET draws = '[["reserves:building",90000,70000],["reserves:gone",5,0]]'
                             WHERE amount_minor = 70000""")
                )
                await connection.execute(
                    text("""UPDATE payments SET draws = '[["reserves:building",120000,120000]]'
                             WHERE amount_minor = 120000""")
                )
                await connection.execute(text(f"UPDATE {VERSIONS} SET version_num = '0001'"))

            async with store.engine.begin() as connection:
                await connection.run_sync(upgrade, MIGRATIONS, VERSIONS)

            assert await books.file(a_claim_id()) == kept
            assert kept.reserves == (Reserve("reserves:building", usd("200.00")),)
            assert (await books.file(a_claim_id(2))).reserves == ()

    asyncio.run(run())


def test_amounts_of_every_size_come_back_exactly(with_books: OpenBooks) -> None:
    async def run(books: Books) -> None:
        largest = Money(2**63 - 1, "USD").to_text()

        await books.keep(an_approved_file(1, largest), an_approved_file(2, "0.01"))

        assert [one.amount.to_text() for one in (await books.file(a_claim_id(1))).payments] == [largest]
        assert (await books.totals())["claims-incurred", "USD"] == 2**63

    with_books(run)
