"""Settings of notify: CLAIMFLOW_NOTIFY_<NAME>, beside the shared ones."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hosting.settings import ProcessSettings


class NotifySettings(ProcessSettings):
    """`smtp` is where mail is handed over; with `mail` off events are followed and nothing is sent.

    `papers_url` is the base of the address a customer sends papers to: where intake answers, or a page before it.
    A batch of mails is given up before its lease ends; after a kill, what it held is tried again when it has ended.
    """

    port: int = Field(8104, ge=0, le=65_535)
    smtp: str = Field("127.0.0.1:8203", pattern=r"^[A-Za-z0-9.-]{1,253}:[0-9]{1,5}$")
    mail: Literal["on", "off"] = "on"
    sender: str = Field("claims@claimflow.invalid", pattern=r"^[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,189}$")
    papers_url: str = Field("http://127.0.0.1:8101", pattern=r"^https?://[^\s?#]{1,200}[^\s?#/]$")
    connections: int = Field(4, ge=1, le=64)
    lease_seconds: int = Field(30, ge=3, le=3600)

    @property
    def smtp_address(self) -> tuple[str, int]:
        """Host and port of the mail server."""
        host, _, port = self.smtp.rpartition(":")
        return host, int(port)
