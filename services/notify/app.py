"""Notify put together: `notify_stage` is one for PostgreSQL, memory and simulation; `start` is the real process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from hosting.exits import CannotStartError, Exit
from hosting.logs import configure_logs
from hosting.settings import load_settings
from hosting.web import health_routes, http_server
from messaging.ports import Store
from messaging.stage import Stage
from services.notify.adapters.memory_repository import MemoryClaimRepository
from services.notify.adapters.sql_repository import SqlClaimRepository
from services.notify.adapters.text_files import load_letters, load_rules
from services.notify.domain.following import HANDLED
from services.notify.domain.letters import Letters
from services.notify.domain.mail import MailForm
from services.notify.domain.rules import Rules
from services.notify.handlers.mailing import MailEffect
from services.notify.handlers.notices import NoticesHandler
from services.notify.ports import ClaimRepository, MailChannel, PartyOpener
from services.notify.settings import NotifySettings

NAME = "notify"
READS = ("intake", "assessment", "payment", "ops")
MIGRATIONS = Path(__file__).parent / "migrations"
SENDER = "claims@claimflow.invalid"
PAPERS_URL = "http://127.0.0.1:8101"


def notify_stage(
    repository: ClaimRepository,
    store: Store,
    opener: PartyOpener,
    channel: MailChannel | None,
    letters: Letters | None = None,
    rules: Rules | None = None,
    sender: str = SENDER,
    papers_url: str = PAPERS_URL,
    **sending: Any,
) -> Stage:
    """The stage over these ports. Without a channel events are followed and no work is made.

    `sending` overrides batch_max, lease_seconds and concurrency of the mail effect.
    """
    letters, rules = letters or load_letters(), rules or load_rules()
    demand_texts(letters, rules)
    effects: tuple[MailEffect, ...] = ()
    if channel is not None:
        form = MailForm(sender)
        effects = (MailEffect(repository, store, opener, channel, letters, form, rules, **sending),)
    handles = {event.TYPE: event for event in HANDLED}
    handler = NoticesHandler(repository, rules, channel is not None, papers_url)
    return Stage(NAME, NAME, READS, handles, handler, effects)


def memory_notify_stage(
    store: Store, opener: PartyOpener, channel: MailChannel | None, rules: Rules | None = None, **sending: Any
) -> Stage:
    """The same stage over a repository in memory, whose rows live in `store`."""
    return notify_stage(MemoryClaimRepository(), store, opener, channel, rules=rules, **sending)


def demand_texts(letters: Letters, rules: Rules) -> None:
    """The version of each text that the rules name must be there."""
    for kind, rule in rules.kinds.items():
        if (kind, rule.text_version) not in letters.versions():
            raise CannotStartError(f"notify: the text {kind.value} version {rule.text_version} is missing", Exit.usage)


@asynccontextmanager
async def start(environment: Mapping[str, str] | None = None) -> AsyncIterator[str]:
    """The process: database, key ring, mail server, stage, health; gives the addresses of its ready line."""
    from messaging.process import open_stage, open_store
    from privacy.wiring import open_sealer
    from services.notify.adapters.smtp import BATCH_SECONDS, LEASE_MARGIN_SECONDS, SmtpChannel

    settings = load_settings(NotifySettings, NAME, environment)
    configure_logs(settings, NAME)
    if settings.keys_database is None:
        raise CannotStartError("CLAIMFLOW_KEYS_DATABASE: is missing; notify opens recipients with it", Exit.usage)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings, NAME, MIGRATIONS))
        opener = await stack.enter_async_context(open_sealer(settings.keys_database, settings.master_key_file))
        channel = None
        if settings.mail == "on":
            seconds = min(BATCH_SECONDS, settings.lease_seconds - LEASE_MARGIN_SECONDS)
            channel = SmtpChannel(*settings.smtp_address, settings.sender, settings.connections, batch_seconds=seconds)
            stack.push_async_callback(channel.close)
        stage = notify_stage(
            SqlClaimRepository(),
            store,
            opener,
            channel,
            sender=settings.sender,
            papers_url=settings.papers_url,
            lease_seconds=float(settings.lease_seconds),
        )
        process = await stack.enter_async_context(open_stage(stage, store, settings))
        app = Starlette(routes=health_routes(process.live, process.ready))
        yield await stack.enter_async_context(http_server(app, settings.host, settings.port))
