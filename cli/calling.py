"""How commands talk to ops and intake: where they answer, and what their refusals mean for the exit code.

Addresses: --url, else CLAIMFLOW_OPS_URL (or CLAIMFLOW_INTAKE_URL), else the system that runs over this folder."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from urllib.parse import quote

import typer

from hosting.exits import Exit
from local.errors import LocalError

TIMEOUT_SECONDS = 20.0
UPLOAD_SECONDS = 300.0
_PART_BYTES = 64 * 1024
_BAR_BYTES = 1024 * 1024
_POLL_SECONDS = 0.25

Url = Annotated[str, typer.Option("--url", help="Base address, instead of that of the system that runs here.")]
Person = Annotated[
    str,
    typer.Option("--person", "-p", envvar="CLAIMFLOW_LOCAL_PERSON", help="Who is acting, an id in the file of people."),
]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; it is kept.")]
Key = Annotated[str, typer.Option("--key", help="Idempotency key: the same request under it is done once.")]


def base_url(service: str, given: str) -> str:
    """Where a service answers; LocalError when nobody says."""
    named = given or os.environ.get(f"CLAIMFLOW_{service.upper()}_URL", "")
    if named:
        return named.rstrip("/")
    from local import running
    from local.home import Home

    return running.require(Home.of(os.environ)).url(service).rstrip("/")


def get(service: str, url: str, path: str, **query: Any) -> Any:
    """The JSON of a GET."""
    return _call("GET", service, url, path, params={name: value for name, value in query.items() if value is not None})


def post(service: str, url: str, path: str, body: Any, person: str = "", key: str = "", client: str = "") -> Any:
    """The JSON that answers a POST; person, key and client are sent where they are given."""
    named = {"Claimflow-Person": person, "Idempotency-Key": key, "Claimflow-Client": client}
    headers = {name: value for name, value in named.items() if value}
    sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
    if isinstance(body, bytes):
        headers["Content-Type"] = "application/json"
    return _call("POST", service, url, path, headers=headers, **sent)


def upload(
    url: str, path: str, file: Path, media_type: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> Any:
    """The JSON that answers a POST of a file's bytes to intake; a large one shows on a terminal how far it is."""
    try:
        with file.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            sent = {**headers, "Content-Type": media_type, "Content-Length": str(size)}
            return _call(
                "POST",
                "intake",
                url,
                path,
                seconds=UPLOAD_SECONDS,
                params=dict(query),
                headers=sent,
                content=_parts(source, size),
            )
    except OSError as problem:
        raise LocalError(f"{file} cannot be read: {problem.strerror}", "name a file", Exit.usage) from None


def order(url: str, body: dict[str, Any], person: str, key: str, wait_seconds: float) -> dict[str, Any]:
    """Gives an order to a stage and waits a while for what comes of it."""
    given: dict[str, Any] = post("ops", url, "/v1/commands", body, person, key)
    until = time.monotonic() + wait_seconds
    while "outcome" not in given and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
        given = get("ops", url, f"/v1/commands/{given['command_id']}")
    return given


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


def _parts(source: BinaryIO, size: int) -> Iterator[bytes]:
    """At most as many bytes as were declared, with a bar where there is somebody to look at it."""
    if size < _BAR_BYTES or not sys.stderr.isatty():
        yield from _read(source, size)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("sending", total=size)
        for part in _read(source, size):
            yield part
            progress.advance(bar, len(part))


def _read(source: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0 and (part := source.read(min(_PART_BYTES, size))):
        size -= len(part)
        yield part


def _call(method: str, service: str, url: str, path: str, seconds: float = TIMEOUT_SECONDS, **sent: Any) -> Any:
    import httpx2

    base = base_url(service, url)
    try:
        answer = httpx2.request(method, base + path, timeout=seconds, **sent)
    except httpx2.TimeoutException:
        message = f"{service} did not answer within {seconds:g} s"
        raise LocalError(message, "try again", Exit.try_again) from None
    except (httpx2.TransportError, httpx2.InvalidURL, httpx2.UnsupportedProtocol):
        hint = "start the system with claimflow up, or name another address with --url"
        raise LocalError(f"{service} cannot be reached at {base}", hint) from None
    if answer.is_success:
        return answer.json()
    raise _refusal(service, answer)


def _refusal(service: str, answer: Any) -> LocalError:
    try:
        told = answer.json()
    except ValueError:
        told = {}
    words = told.get("detail") if isinstance(told, dict) else None
    errors = told.get("errors", []) if isinstance(told, dict) else []
    places = "; ".join(
        f"{one.get('pointer') or one.get('parameter') or '/'}: {one.get('detail', '')}" for one in errors[:5]
    )
    message = f"{service} refused ({answer.status_code}): {words or 'no reason given'}"
    if answer.status_code in (429, 503) or "retry-after" in answer.headers:
        return LocalError(message, places or "try again in a moment", Exit.try_again)
    return LocalError(message, places, Exit.internal if answer.status_code >= 500 else Exit.usage)
