"""Asks a broker for its metadata over a plain socket: the cheapest proof that it serves, with no client library."""

from __future__ import annotations

import socket
import struct

_METADATA, _VERSION, _CORRELATION = 3, 1, 7
_ANSWER_BYTES_MAX = 4 * 1024 * 1024
# Header version 1 (key, version, correlation, client id), then an array of no topics.
_BODY = struct.pack(">hhih", _METADATA, _VERSION, _CORRELATION, 9) + b"claimflow" + struct.pack(">i", 0)


def answers_metadata(host: str, port: int, timeout_seconds: float = 1.0) -> bool:
    """Whether a broker there names at least one broker and a controller."""
    try:
        with socket.create_connection((host, port), timeout=timeout_seconds) as connection:
            connection.settimeout(timeout_seconds)
            connection.sendall(struct.pack(">i", len(_BODY)) + _BODY)
            answer = _read_answer(connection)
    except OSError:
        return False
    return _serves(answer)


def _read_answer(connection: socket.socket) -> bytes:
    (size,) = struct.unpack(">i", _read_exactly(connection, 4))
    if not 8 <= size <= _ANSWER_BYTES_MAX:
        raise OSError("not a Kafka answer")
    return _read_exactly(connection, size)


def _read_exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise OSError("closed")
        parts += part
    return bytes(parts)


def _serves(answer: bytes) -> bool:
    try:
        correlation, brokers = struct.unpack_from(">ii", answer, 0)
        place = 8
        for _ in range(brokers):
            (host_bytes,) = struct.unpack_from(">h", answer, place + 4)
            place += 4 + 2 + host_bytes + 4
            (rack_bytes,) = struct.unpack_from(">h", answer, place)
            place += 2 + max(rack_bytes, 0)
        (controller,) = struct.unpack_from(">i", answer, place)
    except struct.error:
        return False
    return bool(correlation == _CORRELATION and brokers >= 1 and controller >= 0)


def accepts(host: str, port: int, timeout_seconds: float = 1.0) -> bool:
    """Whether anything takes a connection there: all that can be asked of a broker that wants a log-in first."""
    try:
        with socket.create_connection((host, port), timeout=timeout_seconds):
            return True
    except OSError:
        return False
