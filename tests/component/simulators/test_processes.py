"""The simulators as processes: one ready line, a clean stop, kill -9 without losing an answer, clear refusals."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from simulators.bank.record import FILE_NAME, read_executed

READY = {
    "simulators.policy_system": r"simulators\.policy_system ready http://127\.0\.0\.1:\d+",
    "simulators.bank": r"simulators\.bank ready http://127\.0\.0\.1:\d+",
    "simulators.mail": r"simulators\.mail ready smtp://127\.0\.0\.1:\d+ http://127\.0\.0\.1:\d+",
}
ROOT = Path(__file__).parents[3]


@contextmanager
def a_process(module: str, *options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", module, *options],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate(timeout=10)


def address_in(line: str) -> str:
    return line.split()[-1]


@pytest.mark.parametrize("module", sorted(READY))
def test_each_prints_one_ready_line_answers_and_stops_cleanly(tmp_path: Path, module: str) -> None:
    with a_process(module, "--folder", str(tmp_path)) as (process, line):
        assert re.fullmatch(READY[module], line)
        assert httpx2.get(f"{address_in(line)}/readyz").status_code == 200

        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)

    assert (process.returncode, out, err) == (0, "", "")


def test_every_payment_that_was_answered_survives_kill_9(tmp_path: Path) -> None:
    answered = []
    with a_process("simulators.bank", CLAIMFLOW_SIM_BANK_FOLDER=str(tmp_path)) as (process, line):
        with httpx2.Client(base_url=address_in(line)) as bank:
            for number in range(20):
                order = {
                    "end_to_end_id": f"id-{number}",
                    "amount": "10.00",
                    "currency": "USD",
                    "creditor": {"name": "Ada", "account_number": "00012345"},
                }
                response = bank.post("/v1/instructions", json={"instructions": [order]})
                answered += [result["end_to_end_id"] for result in response.json()["results"]]
        process.kill()
        process.wait(timeout=10)
    with (tmp_path / FILE_NAME).open("ab") as journal:
        journal.write(b'{"end_to_end_id": "torn')

    assert [entry.end_to_end_id for entry in read_executed(tmp_path / FILE_NAME)] == answered
    with a_process("simulators.bank", "--folder", str(tmp_path)) as (_, line):
        found = httpx2.get(f"{address_in(line)}/v1/instructions/id-19").json()
        torn = httpx2.get(f"{address_in(line)}/v1/instructions/torn")
    assert (found["status"], torn.status_code) == ("executed", 404)
    assert len(list(read_executed(tmp_path / FILE_NAME))) == 20


def test_a_busy_port_is_one_line_and_exit_69(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        options = ["--folder", str(tmp_path), "--port", str(taken.getsockname()[1])]
        with a_process("simulators.bank", *options) as (process, _):
            _, err = process.communicate(timeout=10)

    assert process.returncode == 69
    assert err.startswith("simulators.bank: cannot listen on 127.0.0.1:") and "Address already in use" in err
    assert err.count("\n") == 1


def test_wrong_settings_name_the_field_and_not_the_value(tmp_path: Path) -> None:
    with a_process("simulators.mail", CLAIMFLOW_SIM_MAIL_SMTP_PORT="canary") as (process, _):
        _, err = process.communicate(timeout=10)

    assert process.returncode == 2
    assert err.startswith("simulators.mail: wrong settings: ") and "smtp_port" in err.lower()
    assert "canary" not in err and err.count("\n") == 1
