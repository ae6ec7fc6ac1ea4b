"""What is set aside for a claim. Lines replace all earlier ones; only the difference to what was reserved is posted.

A line names the whole of what a coverage is expected to cost, with what was paid of it: what payments took from a
reserve is taken, and the account holds the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from schemas.decision import CostType, ReserveLine
from schemas.ids import LedgerTransferId
from schemas.money import Money
from services.payment.domain.files import ClaimFile, Place
from services.payment.domain.ledger import Posting, Purpose, Transfer, account

_LOSS = account("reserves", "")
_INCURRED = account("claims-incurred")


def set_aside(file: ClaimFile, lines: Sequence[ReserveLine], cause: UUID, now: datetime) -> ClaimFile:
    """The file with these lines reserved. `cause` is the event that names them: its posting happens once."""
    asked: Counter[Place] = Counter()
    for line in lines:
        asked[reserve_account(line), line.amount.currency] += line.amount.amount_minor
    taken = file.drawn()
    return _moved(
        file, {place: max(0, minor - taken[place]) for place, minor in asked.items()}, Purpose.reserve, cause, now
    )


def release(file: ClaimFile, cause: UUID, now: datetime) -> ClaimFile:
    """The file with nothing reserved any more, beyond what payments took."""
    return _moved(file, {}, Purpose.released, cause, now)


def reserve_account(line: ReserveLine) -> str:
    """The account a line is set aside in: loss and expense never mix."""
    return account("reserves" if line.cost_type is CostType.indemnity else "reserves-expense", line.coverage_code)


def is_for_loss(name: str) -> bool:
    """Whether payments of the loss are taken from this reserve account."""
    return name.startswith(_LOSS)


def _moved(file: ClaimFile, wanted: Mapping[Place, int], purpose: Purpose, cause: UUID, now: datetime) -> ClaimFile:
    held = file.held()
    changed = {place: wanted.get(place, 0) - held[place] for place in sorted({*wanted, *held})}
    changed = {place: minor for place, minor in changed.items() if minor}
    if not changed:
        return file
    incurred: Counter[str] = Counter()
    for (_, currency), minor in changed.items():
        incurred[currency] += minor
    postings = (
        *(Posting(_INCURRED, Money(minor, currency)) for currency, minor in sorted(incurred.items()) if minor),
        *(Posting(name, Money(-minor, currency)) for (name, currency), minor in changed.items()),
    )
    transfer = Transfer(LedgerTransferId.of(cause, "transfer:reserve"), file.claim_id, purpose, postings, now)
    return file.holding(wanted, transfer)
