"""Settings of the policy system: environment CLAIMFLOW_SIM_POLICY_* or options like --port."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class PolicySystemSettings(BaseSettings):
    """Port 0 takes a free one; the folder holds the policies; the seed draws the faults."""

    model_config = SettingsConfigDict(
        env_prefix="CLAIMFLOW_SIM_POLICY_", cli_kebab_case=True, cli_prog_name="policy_system"
    )

    port: int = Field(0, ge=0, le=65_535)
    folder: Path = Path("var/simulators/policy_system")
    seed: int = 0
