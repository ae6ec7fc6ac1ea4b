"""Payment's settings: CLAIMFLOW_PAYMENT_<NAME>."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from hosting.settings import ProcessSettings


class PaymentSettings(ProcessSettings):
    """`bank_url` is the base of the bank's address."""

    keys_database: str = Field(pattern=r"^postgresql\+asyncpg://\S+$")
    master_key_file: Path
    port: int = Field(8103, ge=0, le=65_535)
    bank_url: str = Field("http://127.0.0.1:8202", pattern=r"^https?://[^\s?#]{1,200}[^\s?#/]$")
