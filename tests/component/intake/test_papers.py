"""A paper comes in by HTTP: stored, told once, listed; and whatever fails in between loses no acknowledged paper."""

from __future__ import annotations

import hashlib
import logging
from typing import IO, Any

import pytest

from messaging import crash_points
from schemas.ids import ClaimId, DocumentId
from schemas.intake import ClaimWithdrawn
from services.intake.adapters.paper_store import memory_paper_store
from services.intake.domain.papers import object_name
from services.intake.ports import PapersUnavailable
from services.intake.routes.papers import PaperLimits
from tests.builders.crashes import nth_time
from tests.builders.intake import A_PDF, World
from tests.builders.papers import a_claim, kept, opened, told
from tests.builders.reports import a_report
from tests.builders.stages import Crash

POINTS = """paper.stored key-row.reserved answer.commit answer.committed publish.send publish.acked published.mark
    published.marked answer.sent""".split()
SECRET = "zq-secret-31337"


@pytest.fixture
def world() -> World:
    return World()


async def test_a_paper_is_stored_told_and_listed(world: World) -> None:
    async with world.new_life() as life:
        claim = await a_claim(life)
        answer = await life.add_paper(claim, line_id="1")
        listed = await life.client.get(f"/v1/claims/{claim}/documents")

    sha256 = hashlib.sha256(A_PDF).hexdigest()
    assert answer.status_code == 202, answer.text
    assert (answer.json()["sha256"], answer.json()["size_bytes"]) == (sha256, len(A_PDF))
    [event] = told(world)
    [document] = event.documents
    assert (str(document.document_id), document.kind, document.line_id) == (
        answer.json()["document_id"],
        "estimate",
        "1",
    )
    assert listed.json()["documents"] == [answer.json()]
    assert await kept(world) == [object_name(ClaimId(claim), document.document_id)]
    assert await opened(world, claim, A_PDF) == A_PDF


async def test_a_claim_is_named_by_its_reference_as_people_say_it(world: World) -> None:
    async with world.new_life() as life:
        reference = (await life.submit(a_report())).json()["reference"]
        answer = await life.add_paper(reference.lower().replace("-", ""))
        listed = await life.client.get(f"/v1/claims/{reference}/documents")

    assert answer.status_code == 202
    assert listed.json()["reference"] == reference


async def test_the_same_bytes_are_one_paper_under_any_key_and_after_any_time(world: World) -> None:
    async with world.new_life() as life:
        claim = await a_claim(life)
        first = await life.add_paper(claim, key="k-1")
        world.clock.move(days=3)
        again = await life.add_paper(claim, key="k-1")
        other_key = await life.add_paper(claim, key="k-2", kind="invoice")

    assert first.content == again.content == other_key.content
    assert len(told(world)) == 1
    assert len(await kept(world)) == 1


async def test_the_same_bytes_for_another_claim_are_another_paper(world: World) -> None:
    async with world.new_life() as life:
        claims = [(await life.submit(a_report(n), key=f"key-{n}")).json()["claim_id"] for n in (1, 2)]
        answers = [await life.add_paper(claim, key=f"k-{claim}") for claim in claims]

    assert len({answer.json()["document_id"] for answer in answers}) == 2
    assert len(told(world)) == 2


async def test_a_key_that_stands_for_another_request_is_refused_before_anything_is_stored(world: World) -> None:
    async with world.new_life() as life:
        claim = await a_claim(life)
        await life.add_paper(claim)
        refused = [
            await life.add_paper(claim, content=b"%PDF-other"),
            await life.add_paper(claim, kind="invoice"),
            await life.add_paper(claim, line_id="2"),
        ]

    assert [(one.status_code, one.json()["code"]) for one in refused] == [(422, "idempotency-key-reused")] * 3
    assert len(await kept(world)) == 1
    assert len(told(world)) == 1


@pytest.mark.parametrize(
    "name", ["0a9cbbd8-9a2b-5a3f-9f0e-0d5a3c1f0001", "CF-0000-0000-0000-0", SECRET, "%00", "a" * 70]
)
async def test_an_unknown_claim_is_404_for_every_request_about_it(world: World, name: str) -> None:
    async with world.new_life() as life:
        answers = [
            await life.add_paper(name),
            await life.client.get(f"/v1/claims/{name}/documents"),
            await life.withdraw(name),
        ]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "claim-unknown")] * 3
    assert all(SECRET not in one.text for one in answers)
    assert await kept(world) == []


BAD: list[tuple[str, dict[str, Any], int, str]] = [
    ("a type that is not taken", {"media_type": "text/html"}, 415, "unsupported-media-type"),
    ("no type", {"media_type": ""}, 415, "unsupported-media-type"),
    ("bytes of another type", {"content": SECRET.encode()}, 422, "content-mismatch"),
    ("a photo called a text", {"content": b"\xff\xd8\xff\xe0", "media_type": "text/plain"}, 422, "content-mismatch"),
    ("no bytes", {"content": b""}, 422, "empty-document"),
    ("no kind", {"kind": ""}, 422, "invalid-parameter"),
    ("a kind that is no code", {"kind": f"{SECRET} 1"}, 422, "invalid-parameter"),
    ("a line that is no code", {"line_id": f"{SECRET} 1"}, 422, "invalid-parameter"),
    ("a parameter there is not", {"lineid": SECRET}, 422, "unknown-parameter"),
    ("a key with a blank", {"key": "a b"}, 400, "bad-idempotency-key"),
    ("too many bytes", {"content": A_PDF + b"x" * 5_000}, 413, "body-too-large"),
]


@pytest.mark.parametrize("request_of, status, code", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_what_is_no_paper_is_refused_and_nothing_is_kept_or_told(
    world: World, request_of: dict[str, Any], status: int, code: str
) -> None:
    async with world.new_life(papers=PaperLimits(paper_bytes_max=4_096)) as life:
        claim = await a_claim(life)
        answer = await life.add_paper(claim, **request_of)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.text
    assert await kept(world) == []
    assert told(world) == []


async def test_the_limit_is_named_and_holds_without_a_declared_length_too(world: World) -> None:
    async def parts() -> Any:
        for _ in range(10):
            yield A_PDF + b"x" * 1_000

    async with world.new_life(papers=PaperLimits(paper_bytes_max=4_096)) as life:
        claim = await a_claim(life)
        headers = {"idempotency-key": "k", "content-type": "application/pdf"}
        path = f"/v1/claims/{claim}/documents?kind=estimate"
        answer = await life.client.post(path, content=parts(), headers=headers)

    assert answer.status_code == 413
    assert "4096 bytes" in answer.json()["detail"]


async def test_a_claim_has_so_many_papers_and_no_more(world: World) -> None:
    async with world.new_life(papers_max=2) as life:
        claim = await a_claim(life)
        answers = [await life.add_paper(claim, A_PDF + bytes([n]), key=f"k-{n}") for n in range(3)]
        again = await life.add_paper(claim, A_PDF + b"\x00", key="k-9")

    assert [one.status_code for one in answers] == [202, 202, 409]
    assert answers[2].json()["code"] == "too-many-papers"
    assert again.status_code == 202


@pytest.mark.parametrize("point", POINTS)
async def test_after_a_crash_anywhere_the_retry_gives_one_paper(world: World, point: str) -> None:
    async with world.new_life() as life:
        claim = await a_claim(life)
    crash_points.arm(point, nth_time(1))
    async with world.new_life() as life:
        with pytest.raises(Crash):
            await life.add_paper(claim)
    crash_points.disarm()

    async with world.new_life() as life:
        answer = await life.add_paper(claim)

    assert answer.status_code == 202
    assert len(told(world)) == 1
    assert len(await kept(world)) == 1


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_never_leaves_a_told_paper_without_its_content(world: World, point: str) -> None:
    async with world.new_life() as life:
        claim = await a_claim(life)
    crash_points.arm(point, nth_time(1))
    async with world.new_life() as life:
        with pytest.raises(Crash):
            await life.add_paper(claim)
    crash_points.disarm()

    async with world.new_life() as life:
        await life.publisher.sweep(None, everything=True)
        listed = await life.client.get(f"/v1/claims/{claim}/documents")

    names = await kept(world)
    known = [object_name(ClaimId(claim), DocumentId(one["document_id"])) for one in listed.json()["documents"]]
    assert set(known) <= set(names)
    assert [object_name(ClaimId(claim), one.documents[0].document_id) for one in told(world)] == known
    assert (known == []) == (point in ("paper.stored", "key-row.reserved", "answer.commit"))


async def test_with_the_broker_down_the_same_key_succeeds_later_once(world: World) -> None:
    async with world.new_life() as life:
        claim = await a_claim(life)
        life.wire.state = "down"
        refused = await life.add_paper(claim)
        withdrawing = await life.withdraw(claim)
        life.wire.state = "up"
        taken = await life.add_paper(claim)

    assert (refused.status_code, refused.json()["code"]) == (503, "log-unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert withdrawing.status_code == 503
    assert taken.status_code == 202
    assert len(told(world)) == 1


class Full:
    """A place that takes nothing until it is emptied."""

    def __init__(self) -> None:
        self.behind = memory_paper_store()
        self.full = True

    async def put(self, name: str, content: IO[bytes]) -> None:
        if self.full:
            raise PapersUnavailable
        await self.behind.put(name, content)


async def test_while_the_place_for_papers_is_away_nothing_is_told_and_the_retry_succeeds(world: World) -> None:
    place = Full()
    world.place = place
    async with world.new_life() as life:
        claim = await a_claim(life)
        refused = await life.add_paper(claim)
        before = told(world)
        place.full = False
        taken = await life.add_paper(claim)

    assert (refused.status_code, refused.json()["code"]) == (503, "papers-unavailable")
    assert "retry-after" in refused.headers
    assert before == []
    assert taken.status_code == 202


async def test_neither_content_nor_names_reach_the_log_the_topic_or_the_answer(
    world: World, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with world.new_life() as life:
        claim = await a_claim(life)
        answer = await life.client.post(
            f"/v1/claims/{claim}/documents?kind=estimate",
            content=A_PDF + SECRET.encode(),
            headers={
                "idempotency-key": "k",
                "content-type": "application/pdf",
                "content-disposition": f'attachment; filename="{SECRET}.pdf"',
            },
        )

    said = capsys.readouterr()
    assert answer.status_code == 202
    assert SECRET not in said.out + said.err + caplog.text + answer.text
    on_the_log = "".join(repr((record.key, record.value, record.headers)) for record in world.records())
    assert SECRET not in on_the_log


async def test_a_claim_is_withdrawn_once_whatever_comes_later(world: World) -> None:
    async with world.new_life() as life:
        claim = await a_claim(life)
        first = await life.withdraw(claim, body={"reason": "settled-otherwise"})
        world.clock.move(hours=1)
        again = await life.withdraw(claim, body={"reason": "settled-otherwise"})
        other_key = await life.withdraw(claim, key="k-2")
        reused = await life.withdraw(claim, body={"reason": "changed-mind"})

    assert first.status_code == 202, first.text
    assert first.content == again.content == other_key.content
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency-key-reused")
    [event] = [one for one in world.all_events().values() if isinstance(one, ClaimWithdrawn)]
    assert event.reason == "settled-otherwise"


@pytest.mark.parametrize("point", POINTS[1:])
async def test_a_withdrawal_cut_anywhere_is_told_once_after_its_retry(world: World, point: str) -> None:
    async with world.new_life() as life:
        claim = await a_claim(life)
    crash_points.arm(point, nth_time(1))
    async with world.new_life() as life:
        with pytest.raises(Crash):
            await life.withdraw(claim)
    crash_points.disarm()

    async with world.new_life() as life:
        answer = await life.withdraw(claim)

    assert answer.status_code == 202
    assert len([one for one in world.all_events().values() if isinstance(one, ClaimWithdrawn)]) == 1


async def test_a_withdrawn_claim_takes_no_new_paper_and_answers_for_those_it_has(world: World) -> None:
    async with world.new_life() as life:
        claim = await a_claim(life)
        taken = await life.add_paper(claim)
        await life.withdraw(claim)
        again = await life.add_paper(claim)
        refused = await life.add_paper(claim, b"%PDF-new", key="k-2")

    assert again.content == taken.content
    assert (refused.status_code, refused.json()["code"]) == (409, "claim-withdrawn")
    assert len(await kept(world)) == 1


@pytest.mark.parametrize(
    "raw, status, code",
    [
        (b"", 400, "malformed-json"),
        (b"[]", 422, "invalid-claim"),
        (b'{"reason": "zq secret"}', 422, "invalid-claim"),
        (b'{"reason": "a", "reason": "b"}', 400, "repeated-member"),
        (b'{"why": 1}', 422, "invalid-claim"),
        (b" " * 5_000, 413, "body-too-large"),
    ],
)
async def test_a_withdrawal_that_is_none_is_refused(world: World, raw: bytes, status: int, code: str) -> None:
    async with world.new_life() as life:
        claim = await a_claim(life)
        headers = {"idempotency-key": "k", "content-type": "application/json"}
        answer = await life.client.post(f"/v1/claims/{claim}:withdraw", content=raw, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "zq secret" not in answer.text
