"""The shipped claims as often as needed: a repeated row is another claim under another policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from local.home import ROOT
from local.replay.nfip import Row, read_rows

FILE = ROOT / "data" / "nfip_claims_2000.csv.gz"


def rows(count: int, file: Path = FILE) -> list[Row]:
    """So many rows, each with an id of its own."""
    return list(islice(repeated(list(read_rows(file))), count))


def repeated(originals: Sequence[Row]) -> Iterator[Row]:
    """The rows over and over; from the second time on their ids say which time it is."""
    yield from originals
    turn = 2
    while originals:
        for row in originals:
            yield {**row, "id": f"{row['id']}-{turn}"}
        turn += 1
