"""Runs one process: uvloop, signals, one ready line, one line when it cannot start, and the right exit code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import NoReturn, TextIO

import structlog

from hosting.exits import CannotStartError, Exit

Start = Callable[[], AbstractAsyncContextManager[str]]


def run(name: str, start: Start) -> int:
    """Run until SIGTERM or SIGINT. `start` opens everything and gives the text of the ready line's addresses.

    Returns the exit code; the reason stands in one line on standard error, a traceback only for our own faults.
    """
    with contextlib.suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        asyncio.run(_until_stopped(name, start))
    except CannotStartError as refused:
        _say(f"{name}: {refused}")
        return refused.code
    except KeyboardInterrupt:
        return Exit.done
    except Exception:
        structlog.get_logger(name).exception("the process ends on a fault of its own")
        return Exit.internal
    return Exit.done


def leave(reason: str, error: BaseException | None = None) -> NoReturn:
    """Ends the process at once with exit code 70, so that no shutdown path acknowledges or commits anything."""
    try:
        log = structlog.get_logger("leave")
        log.error(reason, exc_info=error if error is not None and str(error) not in reason else None)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(Exit.internal)


def end(code: int) -> NoReturn:
    """Ends the process with this code and everything said, without taking the interpreter apart.

    For processes with threads that are not Python's own, such as an object store's: one that wants to hand over an
    answer while the interpreter ends is killed by it, and the whole process by signal 6 (seen in one of seven ends on
    a busy machine).
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


async def _until_stopped(name: str, start: Start) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with start() as addresses:
        # Batches make many short-lived objects and hardly a cycle: looking for cycles as often as usual costs a fifth.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        _say(f"{name} ready {addresses}", sys.stdout)
        await stop.wait()


def _say(line: str, stream: TextIO | None = None) -> None:
    print(line, file=stream or sys.stderr, flush=True)
