"""What intake's routes share: headers and parameters in, results and refusals out. No value sent is repeated."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hosting.web import PROBLEM_TYPE, ProblemError, problem_body
from messaging import crash_points
from services.intake.domain.checks import Fault
from services.intake.domain.reading import RefusedBody
from services.intake.domain.report import KEY_PATTERN
from services.intake.domain.telling import Refusal

CODE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}$"
_KEY = re.compile(KEY_PATTERN[1:-1])
_CODE = re.compile(CODE_PATTERN[1:-1])
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Answer(Response):
    """An answer whose having been sent is a crash point."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)
        crash_points.reach("answer.sent")


def answer(status: int, body: Mapping[str, Any]) -> Answer:
    """A JSON answer that nobody keeps."""
    return Answer(json_bytes(body), status, {"Cache-Control": "no-store"}, "application/json")


def refused(refusal: Refusal) -> Answer:
    """The problem document of a refusal."""
    headers = {"Cache-Control": "no-store"}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    body = problem_body(refusal.status, refusal.code, refusal.detail)
    return Answer(json_bytes(body), refusal.status, headers, PROBLEM_TYPE)


def refused_body(refusal: RefusedBody) -> ProblemError:
    """The problem document of a body that cannot be taken."""
    return ProblemError(refusal.status, refusal.code, refusal.detail, errors_of(refusal.faults))


def errors_of(faults: Sequence[Fault]) -> list[dict[str, str]]:
    """Faults as they are told."""
    return [
        {"pointer": fault.pointer, "code": fault.code, "detail": fault.detail, "level": fault.level} for fault in faults
    ]


def json_bytes(body: Mapping[str, Any]) -> bytes:
    """One byte form of one answer."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def media_type(request: Request) -> str:
    """The body's media type without its parameters; ProblemError if the body is compressed."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ProblemError(415, "unsupported-encoding", "the body must not be compressed")
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def check_content(request: Request, wanted: tuple[str, ...]) -> None:
    """ProblemError 415 unless the body is of one of these types."""
    if media_type(request) not in wanted:
        raise ProblemError(415, "unsupported-media-type", f"the body must be {wanted[0]}")


def client_of(request: Request) -> str:
    """Whose key or draft this is."""
    client = request.headers.get("claimflow-client", "default")
    if not _CODE.fullmatch(client):
        raise ProblemError(400, "bad-client", "Claimflow-Client must be a code of up to 64 characters")
    return client


def key_of(request: Request) -> str:
    """The idempotency key; ProblemError if there is none."""
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        raise ProblemError(400, "idempotency-key-missing", "the header Idempotency-Key is required")
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise ProblemError(
            400, "bad-idempotency-key", "Idempotency-Key must be 1 to 200 visible ASCII characters, once"
        )
    return keys[0]


def code_parameter(request: Request, name: str, required: bool) -> str | None:
    """A code in the query; ProblemError if it is none, stands twice, or is missing."""
    given = request.query_params.getlist(name)
    if not given and not required:
        return None
    if len(given) == 1 and _CODE.fullmatch(given[0]):
        return given[0]
    code = "wrong-format" if given else "missing"
    error = {"parameter": name, "code": code, "detail": f"{name} must be a code of up to 64 characters, once"}
    raise ProblemError(422, "invalid-parameter", "a parameter breaks a rule; see errors", [error])


def check_parameters(request: Request, known: Sequence[str]) -> None:
    """ProblemError if the query names what there is not: a name written wrongly is never passed over."""
    if any(name not in known for name in request.query_params):
        detail = f"the parameters are {', '.join(known)}" if known else "there are no parameters"
        raise ProblemError(422, "unknown-parameter", detail)


def traceparent_of(request: Request) -> str | None:
    """The trace the client is in, if it says so correctly."""
    given = request.headers.get("traceparent")
    return given if given is not None and _TRACEPARENT.fullmatch(given) else None
