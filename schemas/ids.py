"""Typed ids, made from causes, and the claim reference people read over the phone.

One class per kind of id, so that a payment's id cannot stand where a claim's belongs. Nothing here draws at random:
the same cause gives the same id for ever, so the namespaces below are frozen.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, Final, Self
from uuid import UUID, SafeUUID, uuid5

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

CLIENT_NAMESPACE: Final = UUID("4e2f7f0a-3b55-5d0e-9a61-c1a1f10e0001")
"""Frozen: every claim id ever given depends on it."""

_UNSAID = SafeUUID.unknown
_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


class TypedId(UUID):
    """A UUID of one kind. As text only the canonical lower-case form is taken: a claim's id is also its Kafka key."""

    __slots__ = ()

    def __init__(self, value: UUID | str) -> None:
        if isinstance(value, UUID):
            object.__setattr__(self, "int", value.int)
        elif isinstance(value, str) and _CANONICAL.fullmatch(value):
            object.__setattr__(self, "int", int(value.replace("-", ""), 16))
        else:
            raise ValueError("an id is a UUID in its canonical lower-case form")
        object.__setattr__(self, "is_safe", _UNSAID)

    @classmethod
    def of(cls, cause: UUID, name: str) -> Self:
        """The id that follows from a cause: uuid5(cause, name)."""
        return cls(uuid5(cause, name))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.no_info_after_validator_function(cls._of_text, core_schema.str_schema(strict=True))
        return core_schema.json_or_python_schema(
            json_schema=text,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), text], mode="left_to_right"),
            serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="json"),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": "uuid", "pattern": _PATTERN, "title": cls.__name__}

    @classmethod
    def _of_text(cls, text: str) -> Self:
        try:
            return cls(text)
        except ValueError:
            raise PydanticCustomError("id_format", "An id is a UUID in its canonical lower-case form") from None


class ClaimId(TypedId):
    __slots__ = ()


class EventId(TypedId):
    __slots__ = ()


class CauseId(TypedId):
    __slots__ = ()


class DecisionId(TypedId):
    __slots__ = ()


class PaymentId(TypedId):
    __slots__ = ()


class InstructionId(TypedId):
    __slots__ = ()


class LedgerTransferId(TypedId):
    __slots__ = ()


class DocumentId(TypedId):
    __slots__ = ()


class ReviewId(TypedId):
    __slots__ = ()


class SubjectId(TypedId):
    """A person, as the key ring knows them."""

    __slots__ = ()


class KeyId(TypedId):
    __slots__ = ()


class WorkId(TypedId):
    __slots__ = ()


class CommandId(TypedId):
    __slots__ = ()


class DeadLetterId(TypedId):
    __slots__ = ()


def claim_id(client: str, key: str) -> ClaimId:
    """The claim a client's idempotency key stands for."""
    return ClaimId(uuid5(uuid5(CLIENT_NAMESPACE, client), key))


def event_id(cause: UUID, writer: str, n: int) -> EventId:
    """The n-th event (from 0) a writer answers a cause with."""
    return EventId(uuid5(cause, f"{writer}:{n}"))


def work_cause(work_id: UUID, attempt: int) -> CauseId:
    """The cause of what the n-th attempt (from 1) of a work row brings about."""
    return CauseId(uuid5(work_id, str(attempt)))


def end_to_end_id(payment_id: PaymentId, attempt: int) -> str:
    """32 hex digits the bank carries through; the attempt rises only after the bank's final rejection."""
    return uuid5(payment_id, str(attempt)).hex


# --- the claim reference: CF-XXXX-XXXX-XXXX-C ---
# 60 bits of a hash of the claim id: among ten million claims the chance that any two share a reference is 1 in 23,000.
# The check symbol makes sum(a^(12-i) * symbol_i) zero over GF(32), all weights different: every single wrong symbol
# and every swap of two symbols, wherever they stand, is caught.

_SYMBOLS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE: Final = {symbol: value for value, symbol in enumerate(_SYMBOLS)} | {"O": 0, "I": 1, "L": 1}
_SEPARATORS: Final = str.maketrans("", "", " -\u00a0\u2010\u2011\u2013")
REFERENCE_PATTERN: Final = r"^CF(-[0-9A-HJKMNP-TV-Z]{4}){3}-[0-9A-HJKMNP-TV-Z]$"


class ClaimReferenceError(ValueError):
    """The text is no claim reference; the message never repeats it."""


def claim_reference(claim: ClaimId) -> str:
    """The reference of a claim, e.g. CF-7Q4N-0V2K-M8XD-3; it follows from the id, never from a counter."""
    bits = int.from_bytes(sha256(b"claimflow.reference.v1" + claim.bytes).digest()[:8]) >> 4
    symbols = [bits >> shift & 31 for shift in range(55, -1, -5)]
    return _written(symbols)


def reference_bits(reference: str) -> int:
    """The 60 bits of the claim's hash that a canonical reference stands for."""
    bits = 0
    for symbol in reference[3:17].replace("-", ""):
        bits = bits << 5 | _VALUE[symbol]
    return bits


def parse_reference(text: str) -> str:
    """The canonical reference a person meant: any case and spacing, O for 0, I or L for 1, CF left out or not."""
    if len(text) > 60:
        raise ClaimReferenceError("a claim reference has twelve symbols and a check symbol")
    compact = text.upper().translate(_SEPARATORS)
    if len(compact) == 15 and compact.startswith("CF"):
        compact = compact[2:]
    if len(compact) != 13 or any(symbol not in _VALUE for symbol in compact):
        raise ClaimReferenceError("a claim reference has twelve symbols and a check symbol")
    *symbols, check = (_VALUE[symbol] for symbol in compact)
    if _check(symbols) != check:
        raise ClaimReferenceError("the check symbol does not fit: some symbol was misread")
    return _written(symbols)


def _written(symbols: list[int]) -> str:
    text = "".join(_SYMBOLS[symbol] for symbol in symbols)
    return f"CF-{text[:4]}-{text[4:8]}-{text[8:]}-{_SYMBOLS[_check(symbols)]}"


def _check(symbols: list[int]) -> int:
    """Horner's rule over GF(32) = GF(2)[a] / (a^5 + a^2 + 1)."""
    total = 0
    for symbol in symbols:
        total ^= symbol
        total <<= 1
        if total & 32:
            total ^= 0b100101
    return total
