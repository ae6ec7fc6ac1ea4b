"""The README is true: its commands run in order in one shell on a fresh folder; the claim reported is paid and told.

It uses the ports the README names. Where one is busy the first command says which, and the test fails with its words.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local import running
from local.detaching import stop_running
from local.home import ROOT, Home
from local.processes import wait_until
from local.replay.evidence import Delivered, read_deliveries
from simulators.mail.record import FILE_NAME

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.database]
BLOCK_SECONDS_MAX = 180.0
PAID_SECONDS_MAX = 30.0
DONE = "--- the block is done ---"
_FENCE = re.compile(r"^```sh([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REFERENCE = re.compile(r"CF(?:-[0-9A-Z]+)+")


def blocks() -> list[str]:
    """The code a reader is to type, in order, without what is marked no-test."""
    text = (ROOT / "README.md").read_text("utf-8")
    return [code for mark, code in _FENCE.findall(text) if "no-test" not in mark]


class Shell:
    """One shell that stops at the first command that fails."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["sh", "-e"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )

    def run(self, code: str) -> str:
        """What the block printed; an assertion with it when a command failed or took too long."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{code}\necho '{DONE}'\n".encode())
        said, until = b"", time.monotonic() + BLOCK_SECONDS_MAX
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while DONE.encode() not in said:
                assert selector.select(until - time.monotonic()), f"took too long:\n{code}\nit said:\n{said.decode()}"
                read = os.read(self._process.stdout.fileno(), 65_536)
                assert read, f"a command of the README failed:\n{code}\nit said:\n{said.decode()}"
                said += read
        return said.decode().partition(DONE)[0]

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


CURL = """\
import argparse, sys, urllib.request
words = argparse.ArgumentParser()
words.add_argument("address")
words.add_argument("-sS", action="store_true", dest="quiet")
words.add_argument("-X", dest="method", default="GET")
words.add_argument("-H", dest="headers", action="append", default=[])
words.add_argument("-d", dest="body")
given = words.parse_args()
headers = dict(line.split(": ", 1) for line in given.headers)
body = None if given.body is None else given.body.encode()
request = urllib.request.Request(given.address, body, headers, method=given.method)
sys.stdout.write(urllib.request.urlopen(request, timeout=60).read().decode())
"""
"""What the README needs of curl, for machines that have none: make and Python are all that is asked for."""


def with_curl(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """The environment, with a stand-in for curl where there is none."""
    if shutil.which("curl", path=environment.get("PATH")):
        return environment
    folder.mkdir(parents=True, exist_ok=True)
    stand_in = folder / "curl"
    stand_in.write_text(f"#!{sys.executable}\n{CURL}")
    stand_in.chmod(0o755)
    return {**environment, "PATH": os.pathsep.join([str(folder), environment.get("PATH", os.defpath)])}


@contextmanager
def shell(home: Path) -> Iterator[Shell]:
    """A shell of a newcomer: no settings of ours but the folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAIMFLOW_")}
    opened = Shell(with_curl(home.with_name("readme-programs"), {**kept, "CLAIMFLOW_HOME": str(home)}))
    try:
        yield opened
    finally:
        opened.end()
        stop_running(Home(home))


def claim(home: Home, reference: str) -> dict[str, Any]:
    """The claim as ops shows it."""
    address = f"{running.require(home).url('ops')}/v1/claims/{reference}"
    with urllib.request.urlopen(address, timeout=10) as answer:
        shown: dict[str, Any] = json.load(answer)
    return shown


def test_a_newcomer_reports_a_loss_and_it_is_paid_and_told(servers_folder: Path) -> None:
    home = Home(servers_folder / "readme")
    up, *middle, last = blocks()
    assert "up --detach" in up and last.strip() == "./claimflow down"

    with shell(home.folder) as typed:
        typed.run(up)
        said = "".join(typed.run(code) for code in middle)
        found = _REFERENCE.search(said)
        assert found is not None, said
        reference = found.group()

        assert wait_until(lambda: claim(home, reference)["state"] == "CLOSED", PAID_SECONDS_MAX)
        paid = claim(home, reference)
        letters = home.simulator("mail") / FILE_NAME
        assert wait_until(lambda: "paid" in kinds(letters, paid["claim_id"]), PAID_SECONDS_MAX)
        typed.run(last)

    assert paid["paid"] == {"amount": "42793.00", "currency": "USD"}
    assert running.find(home) is None


def kinds(letters: Path, claim_id: str) -> set[str]:
    """The kinds of mail the server accepted about a claim."""
    accepted: list[Delivered] = list(read_deliveries(letters))
    return {mail.kind for mail in accepted if mail.claim_id == claim_id}
