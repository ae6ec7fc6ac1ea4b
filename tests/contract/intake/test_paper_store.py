"""One suite for every place papers are kept: a folder, memory, and S3's protocol at a server of the test."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hosting.web import http_server
from services.intake.adapters.paper_store import (
    ObjectPaperStore,
    PaperPlaceError,
    memory_paper_store,
    open_paper_store,
)
from services.intake.ports import PapersUnavailable

NAME = "claims/0a9cbbd8-9a2b-5a3f-9f0e-0d5a3c1f0001/" + "a" * 64


def a_bucket() -> Starlette:
    """As much of S3 as one put and one get need; whatever is under `denied/` is refused."""
    objects: dict[str, bytes] = {}

    async def put(request: Request) -> Response:
        name = request.path_params["name"]
        if name.startswith("denied/"):
            return Response("<Error><Code>AccessDenied</Code></Error>", 403)
        objects[name] = await request.body()
        return Response(headers={"ETag": '"1"'})

    async def get(request: Request) -> Response:
        content = objects.get(request.path_params["name"])
        if content is None:
            return Response("<Error><Code>NoSuchKey</Code></Error>", 404)
        return Response(content, headers={"ETag": '"1"', "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"})

    path = "/papers-bucket/{name:path}"
    return Starlette(routes=[Route(path, put, methods=["PUT"]), Route(path, get, methods=["GET"])])


@pytest.fixture(params=["folder", "memory", "s3"])
async def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ObjectPaperStore]:
    if request.param == "folder":
        yield open_paper_store(str(tmp_path / "papers"))
    elif request.param == "memory":
        yield memory_paper_store()
    else:
        async with http_server(a_bucket()) as address:
            for name, value in (("ACCESS_KEY_ID", "id"), ("SECRET_ACCESS_KEY", "secret"), ("REGION", "eu-west-1")):
                monkeypatch.setenv(f"AWS_{name}", value)
            monkeypatch.setenv("AWS_ENDPOINT_URL", address)
            monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
            yield open_paper_store("s3://papers-bucket/intake")


async def test_what_was_put_is_there_under_its_name(place: ObjectPaperStore) -> None:
    content = io.BytesIO(os.urandom(300_000))
    content.seek(1_000)

    await place.put(NAME, content)

    fetched = io.BytesIO()
    await place.fetch(NAME, fetched)
    assert await place.get(NAME) == fetched.getvalue() == content.getvalue()


async def test_putting_again_is_safe(place: ObjectPaperStore) -> None:
    for _ in range(2):
        await place.put(NAME, io.BytesIO(b"%PDF-1.7"))

    assert await place.get(NAME) == b"%PDF-1.7"


async def test_what_was_never_put_is_not_there(place: ObjectPaperStore) -> None:
    with pytest.raises(FileNotFoundError):
        await place.get(NAME)
    with pytest.raises(FileNotFoundError):
        await place.fetch(NAME, io.BytesIO())


async def test_a_folder_of_papers_is_nobody_elses(tmp_path: Path) -> None:
    place = open_paper_store(str(tmp_path / "papers"))

    await place.put(NAME, io.BytesIO(b"%PDF-1.7"))

    assert stat.S_IMODE((tmp_path / "papers").stat().st_mode) == 0o700
    assert (tmp_path / "papers" / NAME).read_bytes() == b"%PDF-1.7"
    assert await place.names() == [NAME]


async def test_a_folder_that_has_become_a_file_takes_no_paper(tmp_path: Path) -> None:
    place = open_paper_store(str(tmp_path / "papers"))
    (tmp_path / "papers" / "claims").write_text("in the way")

    with pytest.raises(PapersUnavailable):
        await place.put(NAME, io.BytesIO(b"%PDF-1.7"))


async def test_a_bucket_that_refuses_takes_no_paper_and_no_secret_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "zq-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "zq-secret")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    async with http_server(a_bucket()) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        place = open_paper_store("s3://papers-bucket/")
        with pytest.raises(PapersUnavailable):
            await place.put("denied/paper", io.BytesIO(b"%PDF-1.7"))

    said = capsys.readouterr()
    assert "zq-" not in said.out + said.err


@pytest.mark.parametrize("place", ["/proc/none/papers", "ftp://zq-secret@example.org/papers"])
def test_a_place_that_cannot_be_is_refused_without_repeating_it(place: str) -> None:
    with pytest.raises(PaperPlaceError) as refused:
        open_paper_store(place)

    assert "zq-secret" not in str(refused.value)
