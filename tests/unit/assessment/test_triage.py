"""Sorting by the shipped tables: segment, lane, flags and referral, and that it never refuses what was paid before."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.replay.nfip import claim_of, policy_of, read_rows
from schemas.assessment import ClaimSegmented, ReferralReason
from schemas.decision import DecisionKind
from schemas.intake import Place, ReportedLine
from schemas.money import Money
from schemas.policy import DisclosureEvidence, PolicySnapshot
from services.assessment.adapters.policy_rows import snapshot_of
from services.assessment.adapters.table_files import load_tables
from services.assessment.domain.adjudicate import Adjudication, adjudicate
from services.assessment.domain.around import Around, Neighbour, place_key
from services.assessment.domain.claim import Report
from services.assessment.domain.decision_cells import Kind
from services.assessment.domain.decision_table import DecisionTable
from services.assessment.domain.duplicates import asked_total
from services.assessment.domain.policies import PolicyKey
from services.assessment.domain.triage import (
    FACTS,
    Sorted,
    TriageTables,
    facts_hash,
    sort,
    triage_facts,
    with_sorting,
)
from tests.builders.assessment import NOW, RULES, TERMS, a_flood_coverage, a_loss, an_asked_line
from tests.builders.events import a_claim_id, a_policy_snapshot
from tests.builders.triage import LOSS_AT, a_neighbour

TABLES = load_tables()
SAMPLE = Path(__file__).parents[3] / "data" / "nfip_claims_2000.csv.gz"
USD_LIMIT = Money.of_text("500000.00", "USD")


def a_report(asked: str | None = "20000.00", **changes: Any) -> Report:
    fields: dict[str, Any] = {"loss_at": LOSS_AT, "reported_at": LOSS_AT + timedelta(days=2)}
    return a_loss(changes.pop("lines", (an_asked_line(asked),)), **fields | changes)


def a_policy(**changes: Any) -> PolicySnapshot:
    fields: dict[str, Any] = {"effective_from": LOSS_AT - timedelta(days=100), "coverages": (a_flood_coverage(),)}
    return a_policy_snapshot(**fields | changes)


def as_neighbour(report: Report, number: int = 1) -> Neighbour:
    return Neighbour(
        claim_id=a_claim_id(number),
        loss_at=report.loss_at,
        peril=report.peril,
        place=place_key(report.place),
        asked=asked_total(report.lines, report.currency),
        open_or_paid=True,
    )


def sorted_by(
    report: Report,
    policy: PolicySnapshot | None = None,
    around: Around | None = None,
    tables: TriageTables = TABLES,
    **changes: Any,
) -> Sorted:
    """As the shipped tables sort it; `changes` are made to the adjudication."""
    held = policy or a_policy()
    found: Adjudication = replace(adjudicate(report, held), **changes)
    return sort(report, held, found, as_neighbour(report), around or Around(), tables, RULES.decisions, NOW)


def codes(found: Sorted) -> list[str]:
    return [flag.code for flag in found.flags]


def test_an_ordinary_flood_claim_is_decided_by_software() -> None:
    found = sorted_by(a_report())

    assert (found.segment, found.lane, found.desk) == ("standard", "normal", "flood")
    assert (found.flags, found.refer_reasons, found.match) == ((), (), None)
    assert [rule.id for rule in found.rules] == [
        "triage-segment",
        "triage-lane",
        "fraud-flags",
        "straight-through",
        "duplicate-rules",
    ]
    assert found.taken == ("SEG-07", "LANE-04", "WAY-09")


@pytest.mark.parametrize(
    "changes, segment",
    [
        ({"asked": "4999.99"}, "simple"),
        ({"asked": "5000.00"}, "standard"),
        ({"asked": "99999.99"}, "standard"),
        ({"asked": "100000.00"}, "complex"),
        ({"asked": None}, "standard"),
        ({"lines": tuple(an_asked_line("1.00", f"c{number}") for number in range(4))}, "complex"),
        ({"lines": (an_asked_line("1.00"), an_asked_line("1.00", "contents"))}, "standard"),
        ({"lines": ()}, "standard"),
        ({"lines": (an_asked_line("900000.00", currency="CNY"),), "currency": "CNY"}, "complex"),
        ({"lines": (an_asked_line("19999.99", currency="CNY"),), "currency": "CNY"}, "simple"),
        ({"lines": (an_asked_line("900000.00", currency="EUR"),), "currency": "EUR"}, "standard"),
    ],
)
def test_the_segment_follows_amounts_in_their_own_currency_and_the_number_of_coverages(
    changes: dict[str, Any], segment: str
) -> None:
    assert sorted_by(a_report(**changes)).segment == segment


@pytest.mark.parametrize(
    "facts, lane",
    [
        ({"uninhabitable": True}, "urgent"),
        ({"uninhabitable": False}, "normal"),
        ({"vulnerable": True, "uninhabitable": False}, "urgent"),
        ({"catastrophe": "US-2012-SANDY", "vulnerable": True}, "catastrophe"),
        ({"uninhabitable": "yes, since Monday"}, "normal"),
        ({"catastrophe": "some words"}, "normal"),
        ({"catastrophe": True}, "normal"),
        ({"catastrophe": ("a", "b")}, "normal"),
    ],
)
def test_the_lane_follows_what_the_claim_states_and_what_is_no_such_thing_is_not_known(
    facts: dict[str, Any], lane: str
) -> None:
    assert sorted_by(a_report(facts=facts)).lane == lane


@pytest.mark.parametrize(
    "report, policy, claims, flags, reasons, desk",
    [
        ({}, {"inception": LOSS_AT - timedelta(days=2)}, 0, ["LOSS_SOON_AFTER_START"], ["fraud_flag"], "investigation"),
        ({}, {"inception": LOSS_AT - timedelta(days=3)}, 0, [], [], "flood"),
        ({}, {"effective_from": LOSS_AT - timedelta(days=1)}, 0, ["LOSS_SOON_AFTER_VERSION_START"], [], "flood"),
        (
            {},
            {"effective_from": LOSS_AT - timedelta(days=1), "inception": LOSS_AT - timedelta(days=400)},
            0,
            [],
            [],
            "flood",
        ),
        ({}, {}, 3, [], [], "flood"),
        ({}, {}, 4, ["MANY_CLAIMS_ON_POLICY"], ["fraud_flag"], "investigation"),
        ({"asked": "250000.00"}, {}, 0, [], [], "flood"),
        ({"asked": "250000.01"}, {}, 0, ["CLAIMED_OVER_LIMIT"], [], "flood"),
        ({"reported_at": LOSS_AT + timedelta(days=60)}, {}, 0, [], [], "flood"),
        ({"reported_at": LOSS_AT + timedelta(days=61)}, {}, 0, ["REPORTED_LATE"], [], "flood"),
        (
            {"reported_at": LOSS_AT - timedelta(days=1)},
            {},
            0,
            ["REPORTED_BEFORE_LOSS"],
            ["fraud_flag"],
            "investigation",
        ),
        ({"reported_at": None}, {}, 0, [], [], "flood"),
    ],
)
def test_flags_are_raised_at_their_bound_and_only_those_that_say_so_refer(
    report: dict[str, Any],
    policy: dict[str, Any],
    claims: int,
    flags: list[str],
    reasons: list[str],
    desk: str,
) -> None:
    found = sorted_by(a_report(**report), a_policy(**policy), Around(claims_on_policy=claims))

    assert codes(found) == flags
    assert [reason.value for reason in found.refer_reasons] == reasons
    assert found.desk == desk


def test_days_are_counted_in_the_zone_of_the_loss() -> None:
    # 03:00 UTC is still the evening before in New York: two days after the start there, three in UTC.
    loss = datetime(2012, 10, 30, 3, tzinfo=UTC)
    policy = a_policy(inception=datetime(2012, 10, 27, 12, tzinfo=UTC))

    assert codes(sorted_by(a_report(loss_at=loss, reported_at=loss), policy)) == ["LOSS_SOON_AFTER_START"]


def test_a_probable_duplicate_goes_to_a_person_with_its_match() -> None:
    report = a_report(place=Place(country="US", postcode="10001"))
    other = replace(as_neighbour(report, 2), loss_at=LOSS_AT + timedelta(hours=3))

    found = sorted_by(report, around=Around(claims_on_policy=1, near=(other,)))

    assert found.match is not None and found.match.other == other and found.match.score_text == "1"
    assert found.refer_reasons == (ReferralReason.duplicate_probable,)
    assert codes(found) == ["DUPLICATE_PROBABLE"]
    assert found.desk == "flood"


def test_another_loss_on_the_policy_is_no_duplicate() -> None:
    other = a_neighbour(2, loss_at=LOSS_AT - timedelta(days=25), place="US:10002", asked=None)

    found = sorted_by(a_report(), around=Around(claims_on_policy=1, near=(other,)))

    assert found.match is not None and not found.match.probable
    assert (found.flags, found.refer_reasons) == ((), ())


@pytest.mark.parametrize(
    "changes, line, reasons",
    [
        ({"kind": DecisionKind.deny}, "flood", ["denial_proposed"]),
        ({"kind": DecisionKind.partial}, "flood", ["reduction_proposed"]),
        ({"kind": DecisionKind.nil}, "flood", ["nothing_payable"]),
        ({"kind": DecisionKind.refer}, "flood", ["sorted_to_a_person"]),
        ({"kind": DecisionKind.value}, "flood", ["sorted_to_a_person"]),
        ({"computed": Money.of_text("500000.00", "USD")}, "flood", []),
        ({"computed": Money.of_text("500000.01", "USD")}, "flood", ["above_automatic_limit"]),
        ({}, "home", ["above_automatic_limit"]),
    ],
)
def test_software_decides_only_what_a_row_allows(changes: dict[str, Any], line: str, reasons: list[str]) -> None:
    found = sorted_by(a_report(line=line), **changes)

    assert [reason.value for reason in found.refer_reasons] == reasons
    assert found.desk == ("flood" if line == "flood" else "general")


def test_a_claim_that_could_not_be_held_against_its_policy_is_sorted_to_a_person() -> None:
    report = a_report()

    found = sort(report, a_policy(), None, as_neighbour(report), Around(), TABLES, RULES.decisions, NOW)

    assert found.refer_reasons == (ReferralReason.sorted_to_a_person,)


def test_sorting_to_a_person_adds_nothing_to_a_reason_that_is_there() -> None:
    asks = sorted_by(a_report(), kind=DecisionKind.refer)
    flagged = sorted_by(a_report(), around=Around(claims_on_policy=9))

    assert with_sorting((), asks) == (ReferralReason.sorted_to_a_person,)
    assert with_sorting((ReferralReason.fact_missing,), asks) == (ReferralReason.fact_missing,)
    assert with_sorting((ReferralReason.fact_missing,), flagged) == (
        ReferralReason.fact_missing,
        ReferralReason.fraud_flag,
    )
    assert with_sorting((), sorted_by(a_report())) == ()


def test_the_same_claim_is_always_sorted_the_same_and_the_hash_follows_the_facts() -> None:
    one, again = sorted_by(a_report()), sorted_by(a_report())

    assert one == again
    assert one.input_hash != sorted_by(a_report("20000.01")).input_hash
    assert one.input_hash != sorted_by(a_report(facts={"vulnerable": True})).input_hash
    assert one.input_hash == sorted_by(a_report(facts={"nobody_asks": "this"})).input_hash


def test_facts_are_all_those_tables_may_ask_each_of_its_kind() -> None:
    report = a_report(facts={"vulnerable": True})
    policy = a_policy(inception=LOSS_AT)

    facts = triage_facts(report, policy, adjudicate(report, policy), Around(), None, USD_LIMIT, TABLES.stated)

    assert set(FACTS) - set(facts) == {"segment", "lane", "flags", "flags_weight", "flags_refer"}
    unknown = {name for name, value in facts.items() if value is None}
    assert unknown == {"cause_code", "stated.catastrophe", "stated.uninhabitable"}
    assert facts_hash(facts) == facts_hash(dict(sorted(facts.items(), reverse=True)))


def test_facts_said_to_be_always_known_are_known_even_of_an_empty_claim() -> None:
    report = a_report(lines=(), peril="unknown", reported_at=None)

    facts = triage_facts(report, a_policy(), None, Around(), None, USD_LIMIT, TABLES.stated)

    assert [name for name, spec in FACTS.items() if spec.never_unknown and name in facts and facts[name] is None] == []
    assert facts["peril"] is None and facts["asked"] is None and facts["computed"] is None


def test_every_claim_drawn_is_sorted_and_never_to_a_refusal() -> None:
    draw = random.Random(7)
    for number in range(400):
        asked = draw.choice([None, f"{draw.randrange(900_000)}.{draw.randrange(100):02}"])
        facts = {name: draw.choice([True, False, "text", "two words"]) for name in ("vulnerable", "catastrophe")}
        report = a_report(
            asked,
            line=draw.choice(["flood", "home", "motor"]),
            facts=facts,
            reported_at=LOSS_AT + timedelta(days=draw.randrange(-3, 100)),
        )
        policy = a_policy(inception=draw.choice([None, LOSS_AT - timedelta(days=draw.randrange(9))]))
        near = (a_neighbour(2, loss_at=LOSS_AT + timedelta(hours=draw.randrange(200))),)
        around = Around(claims_on_policy=draw.randrange(7), near=near[: draw.randrange(2)])

        found = sorted_by(report, policy, around, kind=draw.choice(list(DecisionKind)))

        told = ClaimSegmented(
            segment=found.segment, lane=found.lane, flags=found.flags, rules=found.rules, input_hash=found.input_hash
        )
        assert told.segment in ("simple", "standard", "complex"), number


def test_every_flood_claim_of_the_sample_that_was_paid_at_once_still_is() -> None:
    paid = over_limit = 0
    for row in read_rows(SAMPLE):
        report, policy = _as_told(claim_of(row)), policy_of(row)
        key = PolicyKey(report.policy_number, report.loss_at)
        snapshot = snapshot_of(policy, key, TERMS, NOW)
        assert isinstance(snapshot, PolicySnapshot)
        computed = adjudicate(report, snapshot)
        payable = computed.kind is DecisionKind.pay and computed.computed <= USD_LIMIT

        found = sort(report, snapshot, computed, as_neighbour(report), Around(), TABLES, RULES.decisions, NOW)

        assert (not found.refer_reasons) == payable, row["id"]
        assert found.desk == "flood"
        paid += payable
        over_limit += "CLAIMED_OVER_LIMIT" in codes(found)

    assert paid > 1000 and over_limit > 10


def _as_told(claim: Mapping[str, Any]) -> Report:
    return Report(
        policy_number=claim["policy_number"],
        line=claim["line"],
        loss_at=datetime.fromisoformat(claim["loss_at"]),
        currency=claim["currency"],
        lines=tuple(ReportedLine.model_validate(line) for line in claim["lines"]),
        loss_zone=claim["loss_zone"],
        peril=claim["peril"],
        cause_code=claim.get("cause_code"),
        reported_at=NOW,
        place=Place.model_validate(claim["place"]),
    )


def test_a_later_version_of_a_table_is_used_from_its_day_on() -> None:
    [held] = TABLES.lane.versions
    rows = [replace(row, outputs={"lane": "urgent"}) for row in held.rows]
    newer = type(held)("2027-01", datetime(2027, 1, 1, tzinfo=UTC), held.hit, held.inputs, held.outputs, rows)
    tables = replace(TABLES, lane=DecisionTable("triage-lane", (held, newer)))
    report, policy = a_report(), a_policy()

    def at(now: datetime) -> Sorted:
        return sort(
            report, policy, adjudicate(report, policy), as_neighbour(report), Around(), tables, RULES.decisions, now
        )

    before, after = at(datetime(2026, 12, 31, tzinfo=UTC)), at(datetime(2027, 1, 1, tzinfo=UTC))
    assert (before.lane, after.lane) == ("normal", "urgent")
    assert [rule.version for rule in after.rules] == ["2026-01", "2027-01", "2026-01", "2026-01", "2026-01"]


def test_what_tables_ask_of_a_claim_is_known_by_name_and_kind() -> None:
    assert set(TABLES.stated) == {"catastrophe", "uninhabitable", "vulnerable"}
    assert TABLES.stated["catastrophe"] is Kind.code


@pytest.mark.parametrize(
    "jurisdiction, shown, reasons",
    [
        ("CN", False, (ReferralReason.clause_not_effective,)),
        ("CN-31", False, (ReferralReason.clause_not_effective,)),
        ("CN", True, ()),
        ("US-NY", False, ()),
    ],
)
def test_in_china_what_a_clause_takes_off_without_proof_of_disclosure_goes_to_a_person(
    jurisdiction: str, shown: bool, reasons: tuple[ReferralReason, ...]
) -> None:
    evidence = DisclosureEvidence(clause_id="SFIP.VI", method="signed", at=LOSS_AT)
    policy = a_policy(jurisdiction=jurisdiction, disclosure_evidence=(evidence,) if shown else None)
    report = a_loss([an_asked_line("20000.00")])

    found = sort(
        report, policy, adjudicate(report, policy), as_neighbour(report), Around(), TABLES, RULES.decisions, NOW
    )

    assert found.refer_reasons == reasons
