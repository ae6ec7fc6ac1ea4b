"""The whole system as data: every process with its module, port, environment and readiness check, in starting order.

Texts in braces are filled in by the supervisor: {port}, {home}, {folder} of the process itself, {url_<name>} of another
process, {database_<name>} of a database, and the simulators' second ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Kind = Literal["simulator", "service"]

FIRST_PORT = 8100
"""Services listen on the ports after it, simulators on those after it plus 100."""

DATABASES = ("intake", "assessment", "payment", "notify", "ops", "keys")
"""One database a service, and the key ring's own."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process. `offset` is its port's distance from the first port; `ready` the path that answers 200."""

    name: str
    kind: Kind
    command: tuple[str, ...]
    offset: int
    about: str
    environment: Mapping[str, str] = field(default_factory=dict)
    more_ports: Mapping[str, int] = field(default_factory=dict)
    ready: str = "/readyz"


def _service(name: str, offset: int, about: str, environment: Mapping[str, str] | None = None) -> ProcessSpec:
    own = f"CLAIMFLOW_{name.upper()}_"
    shared = {f"{own}DATABASE": f"{{database_{name}}}", f"{own}PORT": "{port}"}
    return ProcessSpec(name, "service", (f"services.{name}",), offset, about, {**shared, **(environment or {})})


def _simulator(name: str, offset: int, about: str) -> ProcessSpec:
    command = (f"simulators.{name}", "--port", "{port}", "--folder", "{folder}")
    return ProcessSpec(name, "simulator", command, offset, about)


PROCESSES: tuple[ProcessSpec, ...] = (
    _simulator("policy_system", 101, "the core policy system"),
    _simulator("bank", 102, "the bank"),
    ProcessSpec(
        "mail",
        "simulator",
        ("simulators.mail", "--smtp-port", "{smtp_port}", "--http-port", "{port}", "--folder", "{folder}"),
        104,
        "the mail server; its page shows every letter",
        more_ports=MappingProxyType({"smtp_port": 103}),
    ),
    _service(
        "intake",
        1,
        "takes reports of losses: POST /v1/claims",
        {"CLAIMFLOW_INTAKE_STATUS_URL": "{url_ops}", "CLAIMFLOW_INTAKE_PAPERS": "{home}/papers"},
    ),
    _service(
        "assessment",
        2,
        "decides what is covered and for how much",
        {"CLAIMFLOW_ASSESSMENT_POLICY_URL": "{url_policy_system}"},
    ),
    _service("payment", 3, "books and pays what was approved", {"CLAIMFLOW_PAYMENT_BANK_URL": "{url_bank}"}),
    _service(
        "notify",
        4,
        "writes to people",
        {"CLAIMFLOW_NOTIFY_SMTP": "127.0.0.1:{smtp_port}", "CLAIMFLOW_NOTIFY_PAPERS_URL": "{url_intake}"},
    ),
    _service("ops", 5, "shows claims and takes reviews: GET /v1/claims/{id}"),
)
"""In starting order; stopped in reverse."""


def process(name: str) -> ProcessSpec:
    """The process of this name; KeyError otherwise."""
    return {spec.name: spec for spec in PROCESSES}[name]
