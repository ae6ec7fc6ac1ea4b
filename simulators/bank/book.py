"""What the bank decides: which instructions it understands, executes or rejects, and what it answers to a repeat.

One end-to-end id is one payment for ever: the same id with the same content gets the first answer again, with
other content a conflict. Accounts whose number ends in one of `TEST_SUFFIXES` are rejected with that ISO code."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

INSTRUCTIONS_MAX = 100
TEST_SUFFIXES = {
    "9990004": ("AC04", "the account is closed"),
    "9990001": ("AC01", "the account number is incorrect"),
    "9990006": ("AC06", "the account is blocked"),
    "9990404": ("AM04", "insufficient funds"),
}

_AMOUNT = re.compile(r"\d{1,15}(\.\d{1,3})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9A-Za-z][0-9A-Za-z \-]{2,39}", re.ASCII)
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{8,30}", re.ASCII)
_LENGTHS_MAX = {"end_to_end_id": 35, "reference": 140}
_FIELDS = frozenset({"end_to_end_id", "amount", "currency", "creditor", "reference"})
_CREDITOR_FIELDS = frozenset({"name", "iban", "account_number", "bank_code", "country"})


@dataclass(frozen=True, slots=True)
class Instruction:
    """One understood order to pay; `amount` is the decimal text as given, `account` without blanks."""

    end_to_end_id: str
    amount: str
    currency: str
    account: str
    is_iban: bool
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What the bank did about one end-to-end id; final."""

    end_to_end_id: str
    status: str
    bank_reference: str
    at: str
    code: str | None
    reason: str | None
    amount: str
    currency: str
    account: str
    fingerprint: str

    def answer(self) -> dict[str, Any]:
        """The bank's answer for this id, the same each time."""
        if self.status == "executed":
            return {
                "end_to_end_id": self.end_to_end_id,
                "status": "executed",
                "bank_reference": self.bank_reference,
                "executed_at": self.at,
                "amount": self.amount,
                "currency": self.currency,
            }
        return {
            "end_to_end_id": self.end_to_end_id,
            "status": "rejected",
            "bank_reference": self.bank_reference,
            "rejected_at": self.at,
            "code": self.code,
            "reason": self.reason,
        }

    def record(self) -> dict[str, Any]:
        """The line in the bank's journal."""
        return {name: getattr(self, name) for name in Entry.__slots__}


class Book:
    """Every id the bank has decided. `execute` returns what must be on disk before the answers leave."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries = {entry.end_to_end_id: entry for entry in entries}

    def __len__(self) -> int:
        return len(self._entries)

    def inquire(self, end_to_end_id: str) -> dict[str, Any]:
        """The answer given for an id, or status `unknown`: the bank never saw it, or never decided it."""
        entry = self._entries.get(end_to_end_id)
        return entry.answer() if entry else {"end_to_end_id": end_to_end_id, "status": "unknown"}

    def execute(self, orders: Iterable[object], now: datetime) -> tuple[list[dict[str, Any]], list[Entry]]:
        """One answer per order, in order, and the new entries. A bad order fails alone."""
        answers, fresh = [], []
        for order in orders:
            parsed = parse(order)
            if not isinstance(parsed, Instruction):
                answers.append(parsed)
                continue
            entry = self._entries.get(parsed.end_to_end_id)
            if entry is None:
                entry = self._decide(parsed, now)
                self._entries[entry.end_to_end_id] = entry
                fresh.append(entry)
            if entry.fingerprint != parsed.fingerprint:
                reason = "this end_to_end_id was used for another instruction"
                answers.append(_refusal(parsed.end_to_end_id, "conflict", "DUPL", reason))
            else:
                answers.append(entry.answer())
        return answers, fresh

    def _decide(self, instruction: Instruction, now: datetime) -> Entry:
        code, reason = _rejection(instruction)
        return Entry(
            end_to_end_id=instruction.end_to_end_id,
            status="rejected" if code else "executed",
            bank_reference=f"BK{len(self._entries) + 1:012d}",
            at=now.isoformat(timespec="microseconds"),
            code=code,
            reason=reason,
            amount=instruction.amount,
            currency=instruction.currency,
            account=instruction.account,
            fingerprint=instruction.fingerprint,
        )


def parse(order: object) -> Instruction | dict[str, Any]:
    """The understood instruction, or the `error` answer that names the field; nothing of it is remembered."""
    if not isinstance(order, Mapping):
        return _refusal(None, "error", "FF01", "an instruction must be an object")
    given_id = order.get("end_to_end_id")
    end_to_end_id = given_id if isinstance(given_id, str) else None
    fault = _fault_in(order)
    if fault is not None or end_to_end_id is None:
        return _refusal(end_to_end_id, "error", *(fault or ("FF01", "end_to_end_id must be a text")))
    creditor = order["creditor"]
    is_iban = creditor.get("iban") is not None
    canonical = json.dumps(order, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Instruction(
        end_to_end_id=end_to_end_id,
        amount=order["amount"],
        currency=order["currency"],
        account=_plain(creditor["iban"] if is_iban else creditor["account_number"]),
        is_iban=is_iban,
        fingerprint=hashlib.sha256(canonical.encode()).hexdigest(),
    )


def iban_is_valid(iban: str) -> bool:
    """ISO 13616: shape and check digits (remainder 1 modulo 97)."""
    if not _IBAN.fullmatch(iban):
        return False
    digits = "".join(str(int(character, 36)) for character in iban[4:] + iban[:4])
    return int(digits) % 97 == 1


def _fault_in(order: Mapping[str, Any]) -> tuple[str, str] | None:
    if set(order) - _FIELDS:
        return "FF01", "the instruction has a field the bank does not know"
    for name, most in _LENGTHS_MAX.items():
        value = order.get(name, "" if name == "reference" else None)
        if not isinstance(value, str) or len(value) > most or (name == "end_to_end_id" and not value.strip()):
            return "FF01", f"{name} must be a text of at most {most} characters"
    amount, currency, creditor = order.get("amount"), order.get("currency"), order.get("creditor")
    if not isinstance(amount, str) or not _AMOUNT.fullmatch(amount):
        return "AM12", "amount must be a decimal text like 123.45"
    if not amount.strip("0."):
        return "AM01", "amount must be more than zero"
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        return "AM11", "currency must be three capital letters"
    if not isinstance(creditor, Mapping) or set(creditor) - _CREDITOR_FIELDS:
        return "FF01", "creditor must be an object of name, iban or account_number, bank_code, country"
    if any(value is not None and (not isinstance(value, str) or len(value) > 140) for value in creditor.values()):
        return "FF01", "creditor fields must be texts of at most 140 characters"
    if not (creditor.get("name") or "").strip():
        return "BE22", "creditor.name is missing"
    accounts = [creditor[name] for name in ("iban", "account_number") if creditor.get(name) is not None]
    if len(accounts) != 1 or not _ACCOUNT.fullmatch(accounts[0]):
        return "AC01", "creditor must have either an iban or an account_number"
    return None


def _rejection(instruction: Instruction) -> tuple[str | None, str | None]:
    for suffix, verdict in TEST_SUFFIXES.items():
        if instruction.account.endswith(suffix):
            return verdict
    if instruction.is_iban and not iban_is_valid(instruction.account):
        return "AC01", "the account number is incorrect"
    return None, None


def _refusal(end_to_end_id: str | None, status: str, code: str, reason: str) -> dict[str, Any]:
    return {"end_to_end_id": end_to_end_id, "status": status, "code": code, "reason": reason}


def _plain(account: str) -> str:
    return account.replace(" ", "").replace("-", "").upper()
