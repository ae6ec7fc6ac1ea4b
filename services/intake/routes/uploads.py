"""A body on its way in: written to an unnamed temporary file and hashed meanwhile, never wholly in memory.

The file has no name on the disk, so that nothing is left of it when the process ends.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO

from starlette.requests import Request

from hosting.web import ProblemError, too_large
from services.intake.domain.papers import HEAD_BYTES


@dataclass(frozen=True, slots=True)
class Upload:
    """What came in: the file, its hash, its size, its first bytes."""

    content: IO[bytes]
    sha256: str
    size_bytes: int
    head: bytes


@asynccontextmanager
async def received(request: Request, bytes_max: int, seconds: float) -> AsyncIterator[Upload]:
    """The body; ProblemError 413 as soon as it passes the limit, 408 when it takes too long, 422 when it is empty."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > bytes_max:
        raise too_large(bytes_max)
    with tempfile.TemporaryFile() as file:
        digest, head, size = hashlib.sha256(), b"", 0
        try:
            async with asyncio.timeout(seconds):
                async for part in request.stream():
                    size += len(part)
                    if size > bytes_max:
                        raise too_large(bytes_max)
                    head += part[: HEAD_BYTES - len(head)]
                    digest.update(part)
                    file.write(part)
        except TimeoutError:
            raise ProblemError(408, "body-too-slow", f"the body did not arrive within {seconds:g} s") from None
        if size == 0:
            raise ProblemError(422, "empty-document", "the body is empty: it must be the document")
        file.flush()
        yield Upload(file, digest.hexdigest(), size, head)
