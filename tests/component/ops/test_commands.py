"""The commands that speak to ops and intake, against their real APIs over memory: output, errors, exit codes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cli.app import main
from hosting.web import http_server
from schemas.ids import claim_reference
from services.ops.app import create_app
from tests.builders import intake
from tests.builders.events import (
    a_claim_id,
    a_claim_referred,
    a_claim_registered,
    a_claim_reported,
    a_claim_segmented,
    a_duplicate_linked,
    a_reserve_set,
    on_the_wire,
)
from tests.builders.ops import OK, Life, World
from tests.builders.reports import a_report

Said = pytest.CaptureFixture[str]
CLAIM = str(a_claim_id())


@pytest.fixture
def world() -> World:
    return World()


@asynccontextmanager
async def served(world: World) -> AsyncIterator[tuple[Life, str]]:
    async with world.new_life() as life:
        await life.follow()
        async with http_server(create_app(life.ops, lambda: OK, lambda: OK)) as url:
            yield life, url


async def run(url: str, *words: str) -> int:
    return await asyncio.to_thread(main, [*words, "--url", url])


def a_referred_claim(world: World) -> str:
    world.tell(a_claim_reported())
    world.tell(a_claim_registered(), after={"intake": 1})
    return str(world.tell(a_claim_referred(), after={"intake": 1}))


async def test_trace_finds_a_claim_by_another_id_and_says_how_it_stands(world: World, capsys: Said) -> None:
    referral = a_referred_claim(world)

    async with served(world) as (_, url):
        codes = [await run(url, "trace", name) for name in (CLAIM, referral, "FL-000001")]
        said = capsys.readouterr()

    assert codes == [0, 0, 0]
    assert said.err.count("REFERRED") == 3 and referral in said.err
    assert said.out.count("claims.assessment.v1-") == 6


async def test_an_id_of_several_claims_is_not_guessed_at(world: World, capsys: Said) -> None:
    for number in (1, 2):
        world.tell(a_claim_reported(a_claim_id(number)), a_claim_id(number))

    async with served(world) as (_, url):
        code = await run(url, "trace", "FL-000001")

    assert code == 2
    assert "2 claims have this id" in capsys.readouterr().err


async def test_another_amount_is_reviewed_in_the_claims_currency(world: World, capsys: Said) -> None:
    a_referred_claim(world)

    async with served(world) as (_, url):
        code = await run(url, "review", CLAIM, "approve_amount", "-p", "ada", "--amount", "900.00", "-r", "Lower.")

    assert code == 0, capsys.readouterr().err
    [review] = world.reviews().values()
    assert str(review.amount) == "900.00 USD"


async def test_papers_are_asked_for_by_kind_and_line(world: World, capsys: Said) -> None:
    a_referred_claim(world)

    async with served(world) as (_, url):
        words = ("review", CLAIM, "ask_documents", "-p", "bo", "-d", "photo", "--document", "repair_invoice@1")
        code = await run(url, *words)

    assert code == 0, capsys.readouterr().err
    [review] = world.reviews().values()
    assert [(one.kind, one.line_id) for one in review.documents or ()] == [("photo", None), ("repair_invoice", "1")]


async def test_a_linked_claim_is_shown_and_named_a_duplicate(world: World, capsys: Said) -> None:
    a_referred_claim(world)
    for event in (a_claim_segmented(), a_duplicate_linked(), a_reserve_set()):
        world.tell(event, after={"intake": 1})

    async with served(world) as (_, url):
        codes = [
            await run(url, "trace", CLAIM),
            await run(url, "review", CLAIM, "duplicate", "-p", "ada", "-r", "Same."),
        ]

    said = capsys.readouterr()
    assert codes == [0, 0], said.err
    assert "simple/fast/loss_soon_after_inception" in said.err
    assert f"perhaps {claim_reference(a_claim_id(2))} again (0.9)" in said.err
    assert "building:indemnity:2200.00:USD" in said.out.replace("\n", "")
    assert len(world.reviews()) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("review", CLAIM, "approve", "-p", "bo"), 2, "above what this person may decide"),
        (("review", CLAIM, "deny", "-p", "ada", "-r", "x"), 2, "clause_id"),
        (("review", CLAIM, "approve"), 2, "Missing option"),
        (("review", CLAIM, "ask_documents", "-p", "ada"), 2, "documents belong to"),
        (("review", CLAIM, "ask_documents", "-p", "ada", "-d", "a photo"), 2, "/documents/0/kind"),
        (("review", CLAIM, "ask_documents", "-p", "ada", "-d", "photo@9"), 2, "one of the claim's lines"),
        (("review", CLAIM, "duplicate", "-p", "ada", "-r", "x"), 2, "no other claim is linked"),
        (("review", str(a_claim_id(9)), "approve", "-p", "ada"), 75, "no claim of this name"),
        (("pause", "nowhere", "-p", "omar", "-r", "x"), 2, "stage must be one of"),
        (("pause", "payment", "-p", "ada", "-r", "x"), 2, "role operator"),
        (("dlq", "show", "nothing"), 2, "no dead letter of this id"),
        (("person", "erase", CLAIM, "--who", "payee", "-p", "ada", "-r", "x", "--yes"), 2, "role privacy"),
    ],
)
async def test_refusals_are_one_line_with_the_right_exit_code(
    world: World, capsys: Said, words: tuple[str, ...], code: int, said: str
) -> None:
    a_referred_claim(world)

    async with served(world) as (_, url):
        found = await run(url, *words)

    err = capsys.readouterr().err
    assert (found, said in err) == (code, True), err
    assert "Traceback" not in err
    assert world.reviews() == {}


async def test_who_cannot_be_reached_is_named_with_a_hint(capsys: Said) -> None:
    code = await run("http://127.0.0.1:1", "lag")

    assert code == 69
    assert capsys.readouterr().err.splitlines() == [
        "claimflow: ops cannot be reached at http://127.0.0.1:1",
        "hint: start the system with claimflow up, or name another address with --url",
    ]


async def test_a_broker_that_is_away_means_try_again(world: World, capsys: Said) -> None:
    async with served(world) as (life, url):
        life.wire.state = "down"
        code = await run(url, "resume", "payment", "-p", "omar")

    assert code == 75
    assert "acknowledged" in capsys.readouterr().err


async def test_dead_letters_are_listed_shown_and_ordered_up_again(world: World, capsys: Said) -> None:
    key, _, headers = on_the_wire(a_claim_reported())
    world.tell_raw("claims.intake.v1", key, b"\xff", headers)

    async with served(world) as (life, url):
        await life.follow()
        assert await run(url, "dlq", "list", "--json") == 0
        [letter] = json.loads(capsys.readouterr().out)["dead_letters"]
        name = letter["dead_letter_id"]
        assert await run(url, "dlq", "show", name) == 0
        shown = json.loads(capsys.readouterr().out)
        codes = [
            await run(url, "dlq", "redrive", name, "-p", "omar", "-r", "Fixed.", "--wait", "0"),
            await run(url, "dlq", "skip", name, "-p", "omar", "-r", "Given up.", "--wait", "0"),
            await run(url, "skip", "payment", CLAIM, "intake", "1", "-p", "omar", "-r", "Lost.", "--wait", "0"),
            await run(url, "unpark", "payment", CLAIM, "-p", "omar", "-r", "Now.", "--wait", "0"),
            await run(url, "pause", "payment", "-p", "omar", "-r", "x", "--minutes", "5", "--wait", "0"),
        ]

    assert shown["original"]["value_base64"] == "/w=="
    assert codes == [0] * 5, capsys.readouterr().err
    kinds = [json.loads(record.value or b"")["order"] for record in world.log.records("claims.control.v1")]
    assert kinds == ["redrive", "skip", "skip", "unpark", "pause-stage"]


async def test_a_person_is_erased_by_command(world: World, capsys: Said) -> None:
    world.tell(a_claim_reported(reporter=await world.sealed("grace")))
    words = ("person", "erase", CLAIM, "--who", "reporter", "-p", "pia", "-r", "Asked.", "--yes")

    async with served(world) as (_, url):
        codes = [await run(url, *words), await run(url, *words)]

    assert codes == [0, 0]
    assert capsys.readouterr().err.splitlines()[-1].endswith(": already destroyed")


async def test_a_report_is_submitted_from_a_file_and_repeated_under_its_key(tmp_path: Path, capsys: Said) -> None:
    file, broken = tmp_path / "claim.json", tmp_path / "broken.json"
    file.write_text(json.dumps(a_report()))
    broken.write_text(json.dumps(a_report(loss_at="CANARY")))
    world = intake.World()

    async with world.new_life() as life, http_server(life.client._transport.app) as url:  # type: ignore[attr-defined]
        codes = [await run(url, "submit", str(file), "--key", "k1", "--json") for _ in range(2)]
        answers = capsys.readouterr().out
        wrong = await run(url, "submit", str(broken))
        missing = await run(url, "submit", str(tmp_path / "none.json"))
        said = capsys.readouterr().err

    assert codes == [0, 0] and len(world.events()) == 1
    assert answers[: len(answers) // 2] == answers[len(answers) // 2 :]
    assert (wrong, missing) == (2, 2)
    assert "/loss_at" in said and "CANARY" not in said
