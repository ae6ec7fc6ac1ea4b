"""The texts that ship: complete in both languages, read as the golden files say, and safe against what is put in.

To write the golden files anew after a change of wording: CLAIMFLOW_TEST_GOLDEN=write, then read them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.figures import LANGUAGES
from explain.filling import TextError
from explain.texts import working
from schemas.notify import NoticeKind
from services.notify.adapters.text_files import TEXTS, load_letters, read_texts
from services.notify.domain.letters import Letters
from services.notify.domain.notices import Explained
from services.notify.domain.templates import Template, plain
from tests.builders.notices import a_notice, the_letters, the_rules

GOLDEN = Path(__file__).parent / "golden"
KINDS = [pytest.param(kind, id=kind.value) for kind in NoticeKind]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_letter_reads_as_its_golden_file(kind: NoticeKind, language: str) -> None:
    name = {"en": "Ada Example", "zh-CN": "王小明"}[language]

    letter = the_letters().write(a_notice(kind, language), name)

    text = f"Subject: {letter.subject}\n\n{letter.body}"
    path = GOLDEN / f"{kind.value}.{language}.txt"
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


ALL = frozenset("name reference loss_date by_date executed_date amount working reason clause fact appeal task".split())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_text_says_who_which_claim_and_by_when(kind: NoticeKind, language: str) -> None:
    text = read_texts()[kind, language, 1]
    subject, _, body = text.partition("\n\n")

    assert "{reference}" in subject and "{reference}" in body
    assert "{name}" in body and "{by_date}" in body and "{loss_date}" in body


@pytest.mark.parametrize("kind", [NoticeKind.approved, NoticeKind.paid, NoticeKind.partly_approved])
def test_every_text_about_money_says_how_it_was_worked_out(kind: NoticeKind) -> None:
    text = read_texts()[kind, "en", 1]

    assert "{amount}" in text and "{working}" in text


def test_a_refusal_names_reason_clause_fact_and_how_to_appeal() -> None:
    body = the_letters().write(a_notice(NoticeKind.denied), "Ada").body

    for said in ("The damage is not from a flood.", "SFIP-V-D", "The water came from a burst pipe.", "appeals desk"):
        assert said in body


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
    import tomllib

    words = {
        language: tomllib.loads((TEXTS / f"words.{language}.v1.toml").read_text(encoding="utf-8"))
        for language in LANGUAGES
    }
    return Letters(texts, words, {language: working(language) for language in LANGUAGES})


def test_the_shipped_texts_load() -> None:
    assert {kind for kind, _ in load_letters().versions()} == set(NoticeKind)
