"""claimflow documents and withdraw against a served intake: what is sent, shown and refused; the bar on a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hosting.web import http_server
from local.home import ROOT
from schemas.intake import ClaimWithdrawn, DocumentsReceived
from tests.builders.intake import A_PDF, Life, World
from tests.builders.reports import a_report

Served = tuple[World, Life, str, str]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """The world, a life of it, its address, and a claim's reference."""
    world = World()
    async with world.new_life() as life:
        app = life.client._transport.app  # type: ignore[attr-defined]
        reference = (await life.submit(a_report())).json()["reference"]
        async with http_server(app) as url:
            yield world, life, url, reference


async def run(*words: str | Path, terminal: int | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli",
        *words,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("CLAIMFLOW_")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE if terminal is None else terminal,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), (err or b"").decode()


async def test_a_paper_is_sent_and_listed(served: Served, tmp_path: Path) -> None:
    world, _, url, claim = served
    (tmp_path / "zq-name.PDF").write_bytes(A_PDF)

    sent = await run(
        "documents", "add", claim, tmp_path / "zq-name.PDF", "--kind", "estimate", "--line", "1", "--json", "--url", url
    )
    listed = await run("documents", "list", claim, "--url", url)

    assert sent[0] == 0, sent
    [event] = [one for one in world.all_events().values() if isinstance(one, DocumentsReceived)]
    assert json.loads(sent[1])["document_id"] == str(event.documents[0].document_id)
    assert listed[1].split("\t")[1:] == ["estimate", "1", str(len(A_PDF)), f"{event.documents[0].document_id}\n"]
    assert "zq-name" not in repr(world.records())


async def test_a_large_paper_shows_on_a_terminal_how_far_it_is(served: Served, tmp_path: Path) -> None:
    world, _, url, claim = served
    (tmp_path / "photo.pdf").write_bytes(A_PDF + bytes(5_000_000))
    screen, terminal = pty.openpty()

    code, _, _ = await run(
        "documents", "add", claim, tmp_path / "photo.pdf", "--kind", "photo", "--url", url, terminal=terminal
    )

    os.close(terminal)
    shown = os.read(screen, 65_536).decode(errors="replace")
    os.close(screen)
    assert code == 0
    assert "MB" in shown
    [event] = [one for one in world.all_events().values() if isinstance(one, DocumentsReceived)]
    assert event.documents[0].size_bytes == len(A_PDF) + 5_000_000


@pytest.mark.parametrize(
    "name, content, code, said",
    [
        ("none.pdf", None, 2, "cannot be read"),
        ("paper", A_PDF, 2, "does not say what it is"),
        ("page.html", b"<html>", 2, "intake refused (415)"),
        ("paper.png", A_PDF, 2, "intake refused (422): the document does not begin as its media type says"),
        ("large.pdf", A_PDF + bytes(21 * 1024 * 1024), 2, "larger than 20971520 bytes"),
    ],
)
async def test_what_is_no_paper_is_one_line(
    served: Served, tmp_path: Path, name: str, content: bytes | None, code: int, said: str
) -> None:
    _, _, url, claim = served
    if content is not None:
        (tmp_path / name).write_bytes(content)

    ended, out, err = await run("documents", "add", claim, tmp_path / name, "--kind", "photo", "--url", url)

    assert (ended, out) == (code, "")
    assert said in err
    assert "Traceback" not in err


async def test_a_claim_is_withdrawn(served: Served) -> None:
    world, _, url, claim = served

    first = await run("withdraw", claim, "--reason", "changed-mind", "--json", "--url", url)
    again = await run("withdraw", claim, "--json", "--url", url)
    unknown = await run("withdraw", "CF-0000-0000-0000-0", "--url", url)

    assert first[0] == again[0] == 0, first
    assert first[1] == again[1]
    assert len([one for one in world.all_events().values() if isinstance(one, ClaimWithdrawn)]) == 1
    assert (unknown[0], "no claim of this id" in unknown[2]) == (2, True)
