"""The journal: what was appended is on disk and readable, a torn end is cut, damage is named."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from simulators.journal import Journal, JournalBrokenError, JournalCorruptError, read_journal


async def _append_all(path: Path, *groups: Sequence[Mapping[str, object]]) -> None:
    journal = Journal(path)
    journal.open()
    await asyncio.gather(*(journal.append(group) for group in groups))
    await journal.close()


def test_records_are_readable_in_the_order_of_their_appends(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "j.jsonl"

    asyncio.run(_append_all(path, [{"n": 1}, {"n": 2}], [], [{"n": 3, "text": "赔案\n"}]))
    asyncio.run(_append_all(path, [{"n": 4}]))

    assert [record["n"] for record in read_journal(path)] == [1, 2, 3, 4]


def test_a_missing_journal_is_empty(tmp_path: Path) -> None:
    assert list(read_journal(tmp_path / "none.jsonl")) == []


@pytest.mark.parametrize("torn", [b'{"n": 2', b'{"n": 2}', b"x" * 200_000])
def test_a_torn_last_line_is_passed_over_and_cut_at_the_next_start(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"n": 1}\n' + torn)

    assert [record["n"] for record in read_journal(path)] == [1]
    asyncio.run(_append_all(path, [{"n": 3}]))

    assert path.read_bytes() == b'{"n": 1}\n{"n": 3}\n'


def test_a_damaged_line_before_the_end_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": \n{"n": 3}\n')

    with pytest.raises(JournalCorruptError, match=r"line 2 of j\.jsonl"):
        list(read_journal(path))


def test_appends_that_meet_share_an_fsync_and_all_wait_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    really_sync = os.fdatasync

    def counted_sync(handle: int) -> None:
        syncs.append(handle)
        really_sync(handle)

    monkeypatch.setattr(os, "fdatasync", counted_sync)

    asyncio.run(_append_all(tmp_path / "j.jsonl", *([{"n": number}] for number in range(500))))

    assert len(list(read_journal(tmp_path / "j.jsonl"))) == 500
    assert 1 <= len(syncs) <= 5


def test_after_a_failed_write_nothing_more_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_sync(handle: int) -> None:
        raise OSError(5, "Input/output error")

    async def scene() -> None:
        journal = Journal(tmp_path / "j.jsonl")
        journal.open()
        monkeypatch.setattr(os, "fdatasync", no_sync)
        failed = await asyncio.gather(journal.append([{"n": 1}]), journal.append([]), return_exceptions=True)
        monkeypatch.undo()
        assert [type(one) for one in failed] == [JournalBrokenError, JournalBrokenError]
        with pytest.raises(JournalBrokenError):
            await journal.append([{"n": 2}])
        await journal.close()

    asyncio.run(scene())


def test_a_caller_that_gives_up_does_not_take_its_record_out_of_the_group(tmp_path: Path) -> None:
    async def scene() -> None:
        journal = Journal(tmp_path / "j.jsonl")
        journal.open()
        leaving = asyncio.create_task(journal.append([{"n": 1}]))
        await asyncio.sleep(0)
        leaving.cancel()
        await journal.append([{"n": 2}])
        await journal.close()

    asyncio.run(scene())

    assert [record["n"] for record in read_journal(tmp_path / "j.jsonl")] == [1, 2]
