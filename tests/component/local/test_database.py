"""The embedded PostgreSQL: databases with passwords, committed rows that outlive kills, lock files that lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from local import database
from local.database import EmbeddedDatabase, PostgresServer
from local.errors import LocalError

pytestmark = pytest.mark.database


@pytest.fixture
def own_server(servers_folder: Path) -> Iterator[EmbeddedDatabase]:
    server = EmbeddedDatabase(servers_folder / "own-database")
    yield server
    server.stop()


async def test_a_test_gets_an_empty_database_of_its_own(database_url: str) -> None:
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))

    rows = await connection.fetchval("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")
    durable = await connection.fetchval("SHOW fsync")
    await connection.close()

    assert (rows, durable) == (0, "on")


async def test_a_wrong_password_is_refused(postgres: PostgresServer, database_url: str) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(host=postgres.host, port=postgres.port, user=postgres.user, password="guess")


def test_committed_rows_and_the_address_outlive_a_kill(own_server: EmbeddedDatabase) -> None:
    own_server.start()
    address = own_server.create_database("kept")
    own_server.sql("CREATE TABLE held (number int); INSERT INTO held VALUES (7)", "kept")

    own_server.kill()
    own_server.start()

    assert own_server.url("kept") == address
    assert own_server.sql("SELECT number FROM held", "kept").strip() == "7"


def test_a_lock_file_that_names_a_living_stranger_does_not_stop_the_start(own_server: EmbeddedDatabase) -> None:
    own_server.start()
    own_server.kill()
    lock = own_server.data / "postmaster.pid"
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join(["1", *lines[1:]]) + "\n")

    own_server.start()

    assert own_server.sql("SELECT 1").strip() == "1"


def test_a_server_left_behind_is_ended_before_a_new_one_starts(own_server: EmbeddedDatabase) -> None:
    own_server.start()
    second = EmbeddedDatabase(own_server.folder)

    second.start()

    assert own_server.running is False
    assert second.sql("SELECT 1").strip() == "1"
    second.stop()


def test_a_refused_statement_is_one_line_without_the_password(postgres: PostgresServer) -> None:
    with pytest.raises(LocalError) as refused:
        postgres.sql("SELECT no_such_column")

    assert "no_such_column" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs the server as itself")
def test_as_root_without_user_namespaces_a_system_user_runs_it_or_the_reason_is_said(
    servers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "namespace_allowed", lambda: False)
    server = EmbeddedDatabase(servers_folder / "system-user")
    assert "system user" in database.how_it_runs()

    refused: LocalError | None = None
    try:
        server.start()
    except LocalError as fault:
        refused = fault

    if refused is None:
        assert server.sql("SELECT 1").strip() == "1"
        server.stop()
    else:
        assert "cannot reach" in refused.message and "CLAIMFLOW_POSTGRES" in refused.hint
