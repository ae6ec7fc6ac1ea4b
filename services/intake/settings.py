"""Intake's settings: CLAIMFLOW_INTAKE_<NAME>, and the limits a report meets."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from hosting.settings import ProcessSettings


class IntakeSettings(ProcessSettings):
    """`status_url` is the base of the address in each receipt: where ops answers GET /v1/claims/{id}.

    `requests_max` and `bulk_requests_max`: requests in flight, 429 beyond. `unpublished_max`: stored events that wait
    for the broker, 503 beyond. `answer_seconds`: how long a request waits for the broker's acknowledgement.
    `group_rows` and `group_ms`: how many reports one transaction takes, and how long it waits for company.
    `papers`: where papers are kept, sealed: a folder or a URL of S3, Google Cloud Storage or Azure. `paper_bytes_max`:
    the largest; `papers_max`: how many a claim has; `uploads_max`: how many come in at once, 429 beyond;
    `upload_seconds`: how long one may take. `draft_days`: how long a draft that nobody changes is kept.
    `url`: where the command line finds this service; not read here.
    """

    keys_database: str = Field(pattern=r"^postgresql\+asyncpg://\S+$")
    master_key_file: Path
    port: int = Field(8101, ge=0, le=65_535)
    url: str | None = None
    status_url: str = Field("http://127.0.0.1:8105", pattern=r"^https?://[^\s?#]{1,200}[^\s?#/]$")
    requests_max: int = Field(512, ge=1, le=100_000)
    bulk_requests_max: int = Field(8, ge=1, le=1_000)
    unpublished_max: int = Field(5_000, ge=1, le=1_000_000)
    answer_seconds: float = Field(5.0, gt=0, le=60)
    papers: str = Field("var/papers", min_length=1, max_length=500, pattern=r"^([^:]+|(s3|gs|az|azure)://[^\s?#]+)$")
    paper_bytes_max: int = Field(20 * 1024 * 1024, ge=1_024, le=1_000_000_000)
    papers_max: int = Field(200, ge=1, le=10_000)
    uploads_max: int = Field(8, ge=1, le=1_000)
    upload_seconds: float = Field(120.0, gt=0, le=3_600)
    draft_days: int = Field(90, ge=1, le=3_650)
    group_rows: int = Field(250, ge=1, le=1_000)
    group_ms: int = Field(2, ge=0, le=100)
