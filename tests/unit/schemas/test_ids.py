"""Ids follow from causes; a claim's reference survives the telephone."""

from __future__ import annotations

from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import (
    CLIENT_NAMESPACE,
    ClaimId,
    ClaimReferenceError,
    PaymentId,
    claim_id,
    claim_reference,
    end_to_end_id,
    event_id,
    parse_reference,
)

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
claims = st.uuids().map(ClaimId)


def test_the_same_key_of_the_same_client_is_the_same_claim() -> None:
    one = claim_id("app", "key-1")

    assert one == claim_id("app", "key-1")
    assert one == uuid5(uuid5(CLIENT_NAMESPACE, "app"), "key-1")
    assert len({one, claim_id("app", "key-2"), claim_id("web", "key-1"), claim_id("appkey", "-1")}) == 4


def test_an_events_id_follows_from_cause_writer_and_number() -> None:
    cause = UUID(int=7)

    assert event_id(cause, "payment", 0) == event_id(cause, "payment", 0)
    assert len({event_id(cause, writer, n) for writer in ("payment", "notify") for n in (0, 1)}) == 4


def test_the_bank_sees_32_hex_digits_that_change_with_the_attempt_only() -> None:
    payment = PaymentId(UUID(int=9))

    assert len(end_to_end_id(payment, 1)) == 32
    assert end_to_end_id(payment, 1) == end_to_end_id(payment, 1) != end_to_end_id(payment, 2)


@pytest.mark.parametrize("text", ["", "x", "A" * 36, "{" + str(UUID(int=1)) + "}", str(UUID(int=2**128 - 1)).upper()])
def test_only_the_canonical_text_is_an_id(text: str) -> None:
    with pytest.raises(ValueError):
        ClaimId(text)


@given(claims)
def test_a_reference_read_in_any_manner_is_the_same(claim: ClaimId) -> None:
    reference = claim_reference(claim)

    assert parse_reference(reference) == reference
    assert parse_reference(reference.lower().replace("-", " ")) == reference
    assert parse_reference(reference[3:].replace("0", "O").replace("1", "l")) == reference


@given(claims, st.integers(0, 12), st.sampled_from(SYMBOLS))
def test_every_single_wrong_symbol_is_caught(claim: ClaimId, place: int, symbol: str) -> None:
    symbols = list(claim_reference(claim)[3:].replace("-", ""))
    if symbols[place] == symbol:
        return
    symbols[place] = symbol

    with pytest.raises(ClaimReferenceError):
        parse_reference("".join(symbols))


@given(claims, st.integers(0, 12), st.integers(0, 12))
def test_every_swap_of_two_symbols_is_caught(claim: ClaimId, one: int, other: int) -> None:
    symbols = list(claim_reference(claim)[3:].replace("-", ""))
    if symbols[one] == symbols[other]:
        return
    symbols[one], symbols[other] = symbols[other], symbols[one]

    with pytest.raises(ClaimReferenceError):
        parse_reference("".join(symbols))


@pytest.mark.parametrize("text", ["", "CF", "CF-0000-0000-0000", "x" * 1000, "CF-0000-0000-000U-0"])
def test_no_other_text_is_a_reference_and_none_is_repeated(text: str) -> None:
    with pytest.raises(ClaimReferenceError) as refused:
        parse_reference(text)

    assert not text or text not in str(refused.value)
