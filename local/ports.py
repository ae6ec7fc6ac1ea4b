"""Free TCP ports on loopback, remembered in a file so that a restart answers at the same address."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from hosting.exits import Exit
from local.errors import LocalError

LOOPBACK = "127.0.0.1"
# Below the range from which the system takes ports of outgoing connections: one of those must not sit on a kept port.
_LOWEST, _HIGHEST = 20_000, 32_000
_TRIES_MAX = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port nobody listens on; another process may still take it first, so servers report a busy port clearly."""
    for _ in range(_TRIES_MAX):
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        if is_free(port):
            return port
    raise LocalError("no free port found on loopback", "end programs that hold many ports")


def kept_port(file: Path, wanted: int = 0) -> int:
    """The port written in `file`, or a fresh one written there; `wanted` overrides both and must be free."""
    if wanted:
        port = require_free(wanted)
    else:
        port = _read(file) or free_port()
        if not is_free(port):
            port = free_port()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{port}\n")
    return port


def require_free(port: int, what: str = "", way_out: str = "choose another port") -> int:
    """The port itself if free; LocalError naming it, what wanted it, and the way out otherwise."""
    if not 1 <= port <= 65_535:
        raise LocalError(f"{port} is not a port number", "use 1 to 65535, or 0 for a free one", Exit.usage)
    if not is_free(port):
        purpose = f" wanted for {what}" if what else ""
        raise LocalError(f"port {port}{purpose} is in use", f"end the program that holds it, or {way_out}")
    return port


def _read(file: Path) -> int:
    try:
        port = int(file.read_text())
    except (FileNotFoundError, ValueError):
        return 0
    return port if 1 <= port <= 65_535 else 0
