"""Settings of the mail sink: environment CLAIMFLOW_SIM_MAIL_* or options like --smtp-port."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MailSettings(BaseSettings):
    """Port 0 takes a free one; the folder holds the journal; the seed draws the faults."""

    model_config = SettingsConfigDict(env_prefix="CLAIMFLOW_SIM_MAIL_", cli_kebab_case=True, cli_prog_name="mail")

    smtp_port: int = Field(0, ge=0, le=65_535)
    http_port: int = Field(0, ge=0, le=65_535)
    folder: Path = Path("var/simulators/mail")
    seed: int = 0
