"""The probe believes a broker that names itself and a controller, and nothing else."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local.kafka_probe import accepts, answers_metadata


def metadata(brokers: int = 1, controller: int = 1, correlation: int = 7) -> bytes:
    one = struct.pack(">ih", 1, 9) + b"127.0.0.1" + struct.pack(">ih", 9092, -1)
    body = struct.pack(">ii", correlation, brokers) + one * brokers + struct.pack(">ii", controller, 0)
    return struct.pack(">i", len(body)) + body


@contextmanager
def a_server_that_says(answer: bytes) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_a_broker_with_a_controller_serves() -> None:
    with a_server_that_says(metadata()) as port:
        assert answers_metadata("127.0.0.1", port)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack(">i", 8) + b"\0" * 8,
        struct.pack(">i", 12) + struct.pack(">iii", 7, 5, 1),
        metadata(brokers=0),
        metadata(controller=-1),
        metadata(correlation=8),
    ],
)
def test_anything_else_does_not(answer: bytes) -> None:
    with a_server_that_says(answer) as port:
        assert not answers_metadata("127.0.0.1", port)


def test_nobody_there_is_no_broker() -> None:
    assert not answers_metadata("127.0.0.1", 1)
    assert not accepts("127.0.0.1", 1)
