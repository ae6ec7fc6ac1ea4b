"""The texts that ship: complete in both languages, read as the golden files say, and safe against what is put in.

To write the golden files anew after a change of wording: CLAIMFLOW_TEST_GOLDEN=write, then read them.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.figures import LANGUAGES
from explain.filling import TextError
from explain.texts import working
from schemas.assessment import ReferralReason, RequestedDocument
from schemas.notify import NoticeKind
from services.notify.adapters.text_files import TEXTS, load_letters, read_texts
from services.notify.domain.letters import Letters
from services.notify.domain.notices import Explained
from services.notify.domain.templates import Template, plain
from tests.builders.events import a_claim_referred
from tests.builders.notices import (
    STORIES,
    VARIANTS,
    a_notice,
    papers_requested,
    the_last_of,
    the_letters,
    the_rules,
)

GOLDEN = Path(__file__).parent / "golden"
KINDS = [pytest.param(kind, id=kind.value) for kind in NoticeKind]


STORIES_TOLD = {kind.value: events for kind, events in STORIES.items()} | VARIANTS


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("story", STORIES_TOLD)
def test_a_letter_reads_as_its_golden_file(story: str, language: str) -> None:
    name = {"en": "Ada Example", "zh-CN": "王小明"}[language]

    letter = the_letters().write(the_last_of(STORIES_TOLD[story], language), name)

    text = f"Subject: {letter.subject}\n\n{letter.body}"
    path = GOLDEN / f"{story}.{language}.txt"
    if os.environ.get("CLAIMFLOW_TEST_GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_the_text_its_rule_names_in_every_language_with_equal_placeholders(kind: NoticeKind) -> None:
    texts = read_texts()
    version = the_rules().kinds[kind].text_version

    names = [Template(texts[kind, language, version], ALL, language).names for language in LANGUAGES]

    assert names[0] == names[1]


ALL = frozenset(
    """
    name reference loss_date by_date executed_date amount working reason clause fact appeal task
    papers address opening parts other_reference
    """.split()
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_text_says_who_which_claim_and_by_when(kind: NoticeKind, language: str) -> None:
    text = read_texts()[kind, language, the_rules().kinds[kind].text_version]
    subject, _, body = text.partition("\n\n")

    assert "{reference}" in subject and "{reference}" in body
    assert "{name}" in body and "{by_date}" in body and "{loss_date}" in body


MONEY = [
    NoticeKind.approved,
    NoticeKind.paid,
    NoticeKind.partly_approved,
    NoticeKind.advance,
    NoticeKind.settled,
]


@pytest.mark.parametrize("kind", MONEY)
def test_every_text_about_money_says_how_it_was_worked_out(kind: NoticeKind) -> None:
    text = read_texts()[kind, "en", the_rules().kinds[kind].text_version]

    assert "{amount}" in text and "{working}" in text


def test_a_refusal_names_reason_clause_fact_and_how_to_appeal() -> None:
    body = the_letters().write(a_notice(NoticeKind.denied), "Ada").body

    for said in ("The damage is not from a flood.", "SFIP-V-D", "The water came from a burst pipe.", "appeals desk"):
        assert said in body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", list(ReferralReason))
def test_a_letter_about_a_referral_tells_nothing_of_the_reasons(reason: ReferralReason, language: str) -> None:
    plain_letter = the_letters().write(the_last_of((a_claim_referred(),), language), "Ada")
    with_papers = (a_claim_referred(reasons=(ReferralReason.documents_received,)),)
    came = the_letters().write(the_last_of(with_papers, language), "Ada")

    letter = the_letters().write(the_last_of((a_claim_referred(reasons=(reason,)),), language), "Ada")

    assert letter == (came if reason is ReferralReason.documents_received else plain_letter)
    assert came != plain_letter


def test_a_claim_closed_for_an_unknown_other_claim_names_none() -> None:
    letter = the_letters().write(a_notice(NoticeKind.duplicate, duplicate_of=None), "Ada")

    assert "It is handled under another claim, and so" in letter.body


def test_a_list_of_fifty_papers_is_whole_and_every_kind_stands_with_its_code() -> None:
    papers = tuple(RequestedDocument(kind=f"kind_{number}") for number in range(50))

    body = the_letters().write(the_last_of((papers_requested(documents=papers),)), "Ada").body

    assert all(f"- kind_{number} [kind_{number}]\n" in body for number in range(50))


def test_both_languages_have_words_for_the_same_things() -> None:
    english, chinese = (_words(language) for language in LANGUAGES)

    assert {name: set(table) for name, table in english.items()} == {
        name: set(table) for name, table in chinese.items()
    }


def test_what_is_not_known_leaves_no_hole() -> None:
    explained = Explained(reason="Not a flood.", clause_id="V-D", appeal="Write to us.")
    notice = a_notice(NoticeKind.denied, explained=explained, loss_on=None)

    body = the_letters().write(notice, "Ada").body

    assert "What we found" not in body and "\n\n\n" not in body
    assert "the loss on the date on your claim" in body


def test_a_missing_translation_is_refused_at_the_start() -> None:
    texts = read_texts()
    del texts[NoticeKind.paid, "zh-CN", 1]

    with pytest.raises(TextError, match="paid version 1: every language"):
        _letters_of(texts)


def test_a_translation_with_other_placeholders_is_refused() -> None:
    texts = read_texts()
    texts[NoticeKind.paid, "zh-CN", 1] = texts[NoticeKind.paid, "zh-CN", 1].replace("{working}", "")

    with pytest.raises(TextError, match="equal placeholders"):
        _letters_of(texts)


@pytest.mark.parametrize(
    "text, said",
    [
        ("Subject: {name}\n\nHello {stranger}\n", "unknown placeholder stranger"),
        ("Subject: x\n\nHello {name\n", "a brace"),
        ("Hello\n\nBody\n", "begins with"),
        ("Subject: x\nBcc: y\n\nBody\n", "begins with"),
        ("Subject: x\n\n", "begins with"),
    ],
)
def test_a_text_that_is_not_in_form_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(TextError, match=said) as refused:
        Template(text, frozenset({"name"}), "sample")

    assert "sample" in str(refused.value)


def test_a_misnamed_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "paid.fr.v1.txt").write_text("Subject: x\n\ny\n")

    with pytest.raises(TextError, match="a text is named"):
        read_texts(tmp_path)


@pytest.mark.parametrize("name", ["{reference}", "{{ 7 * 7 }}", "{% raw %}", "{0.__class__}", "{amount}"])
def test_a_name_is_never_read_as_a_template(name: str) -> None:
    letter = the_letters().write(a_notice(NoticeKind.paid), name)

    assert f"Dear {name}," in letter.body


@given(st.text(min_size=1, max_size=200))
def test_words_of_a_person_stay_on_their_line(words: str) -> None:
    said = plain(words)

    assert "\n" not in said and "\r" not in said and len(said.splitlines()) <= 1


def test_direction_marks_and_control_characters_in_a_name_become_spaces() -> None:
    assert plain("Ada\r\nBcc: x\u202eevil\x00") == "Ada Bcc: x evil"


def _letters_of(texts: dict[tuple[NoticeKind, str, int], str]) -> Letters:
    words = {language: _words(language) for language in LANGUAGES}
    return Letters(texts, words, {language: working(language) for language in LANGUAGES})


def _words(language: str) -> dict[str, dict[str, str]]:
    return tomllib.loads((TEXTS / f"words.{language}.v1.toml").read_text(encoding="utf-8"))


def test_the_shipped_texts_load() -> None:
    assert {kind for kind, _ in load_letters().versions()} == set(NoticeKind)
