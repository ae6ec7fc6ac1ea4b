"""The whole wiring of assessment: one stage over its ports, and the process that runs it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx2

from hosting.breaker import Breaker
from hosting.logs import configure_logs
from hosting.settings import load_settings
from hosting.web import http_server
from messaging.process import open_stage, open_store
from messaging.stage import Stage
from schemas.topics import READS
from services.assessment.adapters.adjudication_schema import component_schemas
from services.assessment.adapters.claims_memory import MemoryClaims
from services.assessment.adapters.claims_sql import SqlClaims
from services.assessment.adapters.policy_book_http import HttpPolicyBook
from services.assessment.adapters.policy_terms import load_terms
from services.assessment.adapters.rule_book_files import load_rule_book
from services.assessment.adapters.simulation import simulate_json
from services.assessment.adapters.surroundings_memory import MemorySurroundings
from services.assessment.adapters.surroundings_sql import SqlSurroundings
from services.assessment.domain.rule_book import RuleBook
from services.assessment.handlers import HANDLES, AssessmentHandler, PolicyLookup
from services.assessment.ports import Claims, PolicyBook, Surroundings
from services.assessment.routes import create_app, document
from services.assessment.settings import AssessmentSettings

NAME = "assessment"
MIGRATIONS = Path(__file__).parent / "migrations"
LOOKUP_SECONDS = 2.0
LOOKUP_PAUSE_SECONDS = 2.0
EXAMPLE = {
    "policy": {
        "currency": "USD",
        "effective_from": "2026-01-01",
        "coverages": [
            {"form": "nfip-dwelling", "code": "building", "limit": "100000", "deductibles": [{"amount": "5000"}]}
        ],
    },
    "claim": {"loss_at": "2026-06-15", "lines": [{"asked": "150000"}]},
}


def assessment_stage(
    claims: Claims,
    surroundings: Surroundings,
    book: PolicyBook,
    rules: RuleBook,
    lookup_seconds: float = LOOKUP_SECONDS,
) -> Stage:
    """The stage over its ports: the same for PostgreSQL, memory and the simulation."""
    return Stage(
        name=NAME,
        writer=NAME,
        reads=READS[NAME],
        handles=HANDLES,
        handler=AssessmentHandler(claims, surroundings, book, rules, lookup_seconds),
        effects=(PolicyLookup(book, rules, lookup_seconds),),
    )


def memory_assessment_stage(book: PolicyBook, rules: RuleBook | None = None) -> Stage:
    """The stage with its claims in memory and, unless others are given, the rules that are shipped."""
    return assessment_stage(MemoryClaims(), MemorySurroundings(), book, rules or load_rule_book())


@asynccontextmanager
async def open_policy_book(settings: AssessmentSettings) -> AsyncIterator[HttpPolicyBook]:
    """The policy system's adapter over kept connections; nothing is asked until the first claim."""
    breaker = Breaker(
        time.monotonic, settings.lookup_failures_max, LOOKUP_PAUSE_SECONDS, settings.lookup_pause_seconds_max
    )
    terms = load_terms(settings.terms_folder)
    async with httpx2.AsyncClient(base_url=settings.policy_url, timeout=settings.lookup_seconds) as client:
        yield HttpPolicyBook(client, terms, breaker, lambda: datetime.now(UTC))


def api() -> dict[str, Any]:
    """The OpenAPI document of the service."""
    return document(component_schemas("#/components/schemas/{model}"), {"flood": EXAMPLE})


@asynccontextmanager
async def start() -> AsyncIterator[str]:
    """Run the service; gives the address of its health endpoints."""
    settings = load_settings(AssessmentSettings, NAME)
    configure_logs(settings, NAME)
    rules = load_rule_book(
        settings.rules_file, settings.tables_folder, settings.duplicates_file, settings.reserves_file
    )
    terms = load_terms(settings.terms_folder)
    async with open_policy_book(settings) as book, open_store(settings, NAME, MIGRATIONS) as store:
        stage = assessment_stage(SqlClaims(), SqlSurroundings(), book, rules, settings.lookup_seconds)
        async with open_stage(stage, store, settings) as process:
            app = create_app(partial(simulate_json, terms=terms), api(), process.live, process.ready)
            async with http_server(app, settings.host, settings.port) as address:
                yield address
