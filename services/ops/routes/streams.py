"""Stages, parked claims and dead letters as they stand, and orders to stages."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from hosting.web import ProblemError
from messaging.ports import Clock
from schemas.control import PauseStage, ResumeStage, decode_order
from schemas.ids import CommandId
from schemas.model import Instant
from schemas.topics import STAGES
from services.ops.domain.letters import ShownLetter
from services.ops.domain.people import Role
from services.ops.domain.streams import StageBoard, StageStanding
from services.ops.handlers.ordering import ORDER_ASKED, OrderKeyReused, Orders
from services.ops.handlers.reviewing import NotAcknowledged
from services.ops.handlers.watching import Watcher
from services.ops.ports import OrderRow, People
from services.ops.routes.part_answers import Answer
from services.ops.routes.reviews import not_acknowledged
from services.ops.routes.web import (
    KEY_PARAMETER,
    PERSON_PARAMETER,
    answer,
    body_of,
    demand,
    key_of,
    parameter,
    person_of,
    problems,
    takes,
)

_EXAMPLES: dict[str, Any] = {
    "pause": {
        "order": "pause-stage",
        "stage": "payment",
        "reason": "The bank is closed.",
        "until": "2026-01-05T08:00:00Z",
    },
    "resume": {"order": "resume-stage", "stage": "payment", "reason": "The bank is open again."},
    "unpark": {
        "order": "unpark",
        "stage": "assessment",
        "reason": "The rule was corrected.",
        "claim_id": "0a9cbbd8-9a2b-5a3f-9f0e-0d5a3c1f0001",
    },
    "redrive": {
        "order": "redrive",
        "stage": "notify",
        "reason": "The new release reads it.",
        "dead_letter_id": "3f1d9a52-64c3-5c7e-8d6a-1f0b9c2e7a11",
    },
}


class PartitionAnswer(Answer):
    topic: str
    partition: int
    next_offset: int
    end_offset: int | None = None
    backlog: int
    oldest_waiting_at: Instant | None = None
    instance: str
    at: Instant


class PauseAnswer(Answer):
    author: str | None = None
    reason: str | None = None
    until: Instant | None = None
    since: Instant


class StageAnswer(Answer):
    """`backlog` in records; `oldest_waiting_seconds` since the oldest of them was appended."""

    stage: str
    paused: bool
    pause: PauseAnswer | None = None
    backlog: int
    oldest_waiting_at: Instant | None = None
    oldest_waiting_seconds: int | None = None
    parked: int
    instances: tuple[str, ...]
    partitions: tuple[PartitionAnswer, ...]
    reported_at: Instant | None = None


class StagesAnswer(Answer):
    """`unreadable` status records and what was `left_out` beyond the bounds are counted, never hidden."""

    stages: tuple[StageAnswer, ...]
    unreadable: int
    left_out: int


class ParkedAnswer(Answer):
    stage: str
    claim_id: str
    reason: str
    fingerprint: str
    since: Instant
    due_at: Instant | None = None
    attempts: int
    waiting: int
    dead_letter_id: str | None = None


class ParkedListAnswer(Answer):
    parked: tuple[ParkedAnswer, ...]


class OriginalAnswer(Answer):
    """The record as it was, in base64; header values too."""

    key_base64: str | None = None
    value_base64: str | None = None
    headers: tuple[tuple[str, str], ...]


class LetterAnswer(Answer):
    """A dead letter: why it died, and in `original` what it was, byte for byte."""

    dead_letter_id: str
    stage: str
    claim_id: str | None = None
    code: str | None = None
    error_class: str | None = None
    detail: str | None = None
    fingerprint: str | None = None
    attempts: str | None = None
    source: str | None = None
    first_failure: str | None = None
    last_failure: str | None = None
    release: str | None = None
    topic: str
    partition: int
    offset: int
    appended_at: Instant
    value_bytes: int
    original: OriginalAnswer | None = None


class LettersAnswer(Answer):
    """Newest first. `fallen_off`: older ones that are not kept here; their stages still hold the originals."""

    dead_letters: tuple[LetterAnswer, ...]
    fallen_off: int


class OutcomeAnswer(Answer):
    state: str
    detail: str = ""
    at: Instant


class CommandAnswer(Answer):
    """An order as given; `outcome` once its stage has told what came of it."""

    command_id: str
    order: str
    stage: str
    author: str
    reason: str
    at: Instant
    sent: bool
    outcome: OutcomeAnswer | None = None


def stream_routes(watcher: Watcher, clock: Clock) -> APIRouter:
    """Routes that only look."""
    routes = APIRouter(tags=["streams"])

    @routes.get("/v1/stages", response_model=StagesAnswer)
    async def get_stages(request: Request) -> Response:
        """Every stage: paused or not, its positions, how much waits and since when."""
        board = watcher.board
        stages = tuple(_stage(one, clock.now()) for one in board.stages())
        return answer(request, StagesAnswer(stages=stages, unreadable=board.unreadable, left_out=board.left_out))

    @routes.get("/v1/parked", response_model=ParkedListAnswer, responses=problems(422))
    async def get_parked(
        request: Request,
        stage: Annotated[str | None, Query(max_length=32)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> Response:
        """Claims that stand still in a stage, longest first."""
        _check_stage(stage)
        parked = tuple(
            ParkedAnswer(
                **one.model_dump(exclude={"kind", "claim_id", "dead_letter_id"}),
                claim_id=str(one.claim_id),
                dead_letter_id=str(one.dead_letter_id) if one.dead_letter_id else None,
            )
            for one in watcher.board.parked(stage, limit)
        )
        return answer(request, ParkedListAnswer(parked=parked))

    @routes.get("/v1/dead-letters", response_model=LettersAnswer, responses=problems(422))
    async def list_letters(
        request: Request,
        stage: Annotated[str | None, Query(max_length=32)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> Response:
        """What the stages could not take, newest first."""
        _check_stage(stage)
        shelf = watcher.shelf
        letters = tuple(_letter(one) for one in shelf.newest(stage, limit))
        return answer(request, LettersAnswer(dead_letters=letters, fallen_off=shelf.fallen_off))

    @routes.get("/v1/dead-letters/{dead_letter_id}", response_model=LetterAnswer, responses=problems(404))
    async def get_letter(request: Request, dead_letter_id: Annotated[str, Path(max_length=120)]) -> Response:
        """One dead letter with its original bytes."""
        letter = watcher.shelf.find(dead_letter_id)
        if letter is None:
            raise ProblemError(404, "dead-letter-unknown", "no dead letter of this id is kept here")
        return answer(request, _letter(letter, whole=True))

    return routes


def command_routes(orders: Orders, watcher: Watcher, people: People) -> APIRouter:
    """Routes that order."""
    routes = APIRouter(tags=["commands"])

    @routes.post(
        "/v1/commands",
        status_code=201,
        response_model=CommandAnswer,
        responses=problems(400, 403, 413, 415, 422, 503),
        openapi_extra=takes("OrderAsked", _EXAMPLES, PERSON_PARAMETER, KEY_PARAMETER),
    )
    async def give_order(request: Request) -> Response:
        """Order a stage to pause or resume, or to try, take up again or give up what stands still."""
        staff, key = person_of(request, people), key_of(request)
        demand(staff, Role.operator)
        asked = await body_of(request, ORDER_ASKED)
        try:
            row = await orders.give(asked, staff, key)
        except OrderKeyReused:
            raise ProblemError(422, "idempotency-key-reused", "this key was used for another order") from None
        except NotAcknowledged:
            raise not_acknowledged() from None
        return answer(request, _command(row, watcher.board, sent=True), 201)

    @routes.get("/v1/commands/{command_id}", response_model=CommandAnswer, responses=problems(404))
    async def get_order(request: Request, command_id: Annotated[str, Path(max_length=36)]) -> Response:
        """An order, and what came of it as far as its stage has told."""
        try:
            row = await orders.find(CommandId(command_id))
        except ValueError:
            row = None
        if row is None:
            raise ProblemError(404, "command-unknown", "no order of this id was given here")
        return answer(request, _command(row, watcher.board, row.sent))

    return routes


def _check_stage(stage: str | None) -> None:
    if stage is not None and stage not in STAGES:
        raise parameter("stage", "must be one of " + ", ".join(STAGES))


def _stage(standing: StageStanding, now: Instant) -> StageAnswer:
    pause, oldest = standing.pause, standing.oldest_waiting_at
    paused = standing.paused_at(now)
    return StageAnswer(
        stage=standing.stage,
        paused=paused,
        pause=PauseAnswer(author=pause.author, reason=pause.reason, until=pause.until, since=pause.at)
        if paused and pause
        else None,
        backlog=standing.backlog,
        oldest_waiting_at=oldest,
        oldest_waiting_seconds=None if oldest is None else max(0, int((now - oldest).total_seconds())),
        parked=standing.parked,
        instances=standing.instances,
        partitions=tuple(PartitionAnswer(**one.model_dump(exclude={"kind", "stage"})) for one in standing.partitions),
        reported_at=standing.reported_at,
    )


def _letter(letter: ShownLetter, whole: bool = False) -> LetterAnswer:
    why = letter.why
    original = OriginalAnswer(
        key_base64=_base64(letter.key),
        value_base64=_base64(letter.value),
        headers=tuple((name, _base64(value) or "") for name, value in letter.headers),
    )
    return LetterAnswer(
        dead_letter_id=letter.dead_letter_id,
        stage=letter.stage,
        claim_id=letter.claim_id,
        code=why.get("code"),
        error_class=why.get("class"),
        detail=why.get("detail"),
        fingerprint=why.get("fingerprint"),
        attempts=why.get("attempts"),
        source=why.get("source"),
        first_failure=why.get("first-failure"),
        last_failure=why.get("last-failure"),
        release=why.get("release"),
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        appended_at=letter.appended_at,
        value_bytes=len(letter.value or b""),
        original=original if whole else None,
    )


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def _command(row: OrderRow, board: StageBoard, sent: bool) -> CommandAnswer:
    order = decode_order(row.order)
    return CommandAnswer(
        command_id=str(row.command_id),
        order=order.order,
        stage=order.stage,
        author=order.author,
        reason=order.reason,
        at=order.at,
        sent=sent,
        outcome=_outcome(row, board),
    )


def _outcome(row: OrderRow, board: StageBoard) -> OutcomeAnswer | None:
    """Commands are told of by id; a standing order has its outcome in the stage's pause of the same instant."""
    order = decode_order(row.order)
    if isinstance(order, PauseStage | ResumeStage):
        pause = board.stage(order.stage).pause
        if pause is None or pause.at < order.at:
            return None
        state = "applied" if pause.at == order.at else "superseded"
        return OutcomeAnswer(state=state, at=pause.at)
    told = board.outcome(order.stage, row.command_id)
    return None if told is None else OutcomeAnswer(state=told.state.value, detail=told.detail, at=told.at)
