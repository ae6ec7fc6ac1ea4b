"""The settings of ops: CLAIMFLOW_OPS_<FIELD>."""

from __future__ import annotations

from pathlib import Path

from hosting.settings import ProcessSettings

EXAMPLE_PEOPLE = Path(__file__).resolve().parents[2] / "data" / "people.yaml"


class OpsSettings(ProcessSettings):
    """`people_file`: staff, roles and limits. `url`: where the command line finds this service; not read here."""

    port: int = 8105
    people_file: Path = EXAMPLE_PEOPLE
    url: str | None = None
