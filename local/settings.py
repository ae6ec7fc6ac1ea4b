"""Settings of the system on one machine: the shared ones, and CLAIMFLOW_LOCAL_* for ports and patience."""

from __future__ import annotations

from pydantic import Field

from hosting.settings import SharedSettings
from local.system import FIRST_PORT


class LocalSettings(SharedSettings):
    """Port 0 takes a free one and keeps it; `quick_start` off lets the broker's Java compile fully, for load.

    `replicas` is how many copies new topics have: 1 on the embedded broker, 3 on a cluster named in CLAIMFLOW_KAFKA.
    `person` is who acts in commands that ask for one; nothing here reads it.
    """

    first_port: int = Field(FIRST_PORT, ge=0, le=65_000)
    broker_port: int = Field(0, ge=0, le=65_535)
    database_port: int = Field(0, ge=0, le=65_535)
    quick_start: bool = True
    replicas: int = Field(1, ge=1, le=7)
    ready_seconds: int = Field(90, ge=1, le=3_600)
    stop_seconds: int = Field(20, ge=1, le=600)
    person: str | None = None
