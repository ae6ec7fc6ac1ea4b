"""Settings of the bank: environment CLAIMFLOW_SIM_BANK_* or options like --port."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class BankSettings(BaseSettings):
    """Port 0 takes a free one; the folder holds the journal; the seed draws the faults."""

    model_config = SettingsConfigDict(env_prefix="CLAIMFLOW_SIM_BANK_", cli_kebab_case=True, cli_prog_name="bank")

    port: int = Field(0, ge=0, le=65_535)
    folder: Path = Path("var/simulators/bank")
    seed: int = 0
