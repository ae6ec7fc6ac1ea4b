"""Payment put together: the one place where real and in-memory parts are chosen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette

from hosting.exits import CannotStartError, Exit
from hosting.logs import configure_logs
from hosting.settings import load_settings
from hosting.web import health_routes, http_server
from messaging.process import open_stage, open_store
from messaging.stage import Stage
from privacy.errors import MasterKeyError
from privacy.wiring import open_sealer
from schemas.topics import READS
from services.payment.adapters.files_memory import FileBookMemory
from services.payment.adapters.files_sql import FileBookSql
from services.payment.adapters.ledger_memory import LedgerBookMemory
from services.payment.adapters.ledger_sql import LedgerBookSql
from services.payment.adapters.payment_gateway_http import open_gateway
from services.payment.handlers import HANDLED, BankInstruction, PaymentHandler
from services.payment.ports import FileBook, LedgerBook, PayeeOpener, PaymentGateway
from services.payment.settings import PaymentSettings

NAME = "payment"
MIGRATIONS = Path(__file__).parent / "migrations"


def payment_stage(files: FileBook, ledger: LedgerBook, gateway: PaymentGateway, payees: PayeeOpener) -> Stage:
    """The stage over any store and any bank."""
    return Stage(
        name=NAME,
        writer=NAME,
        reads=READS[NAME],
        handles=HANDLED,
        handler=PaymentHandler(files, ledger),
        effects=(BankInstruction(gateway, payees),),
    )


def sql_payment_stage(gateway: PaymentGateway, payees: PayeeOpener) -> Stage:
    """The stage over a PostgreSQL store."""
    return payment_stage(FileBookSql(), LedgerBookSql(), gateway, payees)


def memory_payment_stage(gateway: PaymentGateway, payees: PayeeOpener) -> Stage:
    """The stage over the in-memory store: the very same handlers."""
    return payment_stage(FileBookMemory(), LedgerBookMemory(), gateway, payees)


@asynccontextmanager
async def start() -> AsyncIterator[str]:
    """The service as a process; gives the address it answers on."""
    settings = load_settings(PaymentSettings, NAME)
    configure_logs(settings, NAME)
    async with (
        _opened_payees(settings) as sealer,
        open_store(settings, NAME, MIGRATIONS) as store,
        open_gateway(settings.bank_url) as gateway,
        open_stage(sql_payment_stage(gateway, sealer), store, settings) as process,
    ):
        app = Starlette(routes=health_routes(process.live, process.ready))
        async with http_server(app, settings.host, settings.port) as address:
            yield address


@asynccontextmanager
async def _opened_payees(settings: PaymentSettings) -> AsyncIterator[PayeeOpener]:
    try:
        async with open_sealer(settings.keys_database, settings.master_key_file) as sealer:
            yield sealer
    except MasterKeyError as wrong:
        raise CannotStartError(str(wrong), Exit.usage) from None
