"""The words of a notice: kind, language and version choose a prepared text, the notice fills it.

Every text is there in every language, with the same placeholders; a set that is not complete is refused at the start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from explain.figures import LANGUAGES, Figures
from explain.filling import Filled, TextError
from explain.working import Working
from schemas.assessment import RequestedDocument
from schemas.notify import NoticeKind
from services.notify.domain.notices import Explained, Notice
from services.notify.domain.templates import Template, plain

TextKey = tuple[NoticeKind, str, int]
Words = Mapping[str, Mapping[str, str]]
LINES_TOLD = 12
"""A mail does not list more lines of a claim; who wants them all asks."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice in words."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class _Voice:
    """What one language needs beside its texts."""

    figures: Figures
    working: Working
    phrases: Mapping[str, str]
    tasks: Mapping[str, str]
    papers: Mapping[str, str]
    paper_lines: Mapping[str, Filled]


class Letters:
    """All texts, prepared. `words` holds per language the phrases values are made of, `workings` explain amounts."""

    def __init__(
        self, texts: Mapping[TextKey, str], words: Mapping[str, Words], workings: Mapping[str, Working]
    ) -> None:
        self._voices = {language: _voice(words[language], workings[language]) for language in LANGUAGES}
        self._templates = {
            key: Template(text, frozenset(_VALUES), ".".join(map(str, key))) for key, text in texts.items()
        }
        self._demand_equal()

    def versions(self) -> frozenset[tuple[NoticeKind, int]]:
        """The texts there are, in every language."""
        return frozenset((kind, version) for kind, _, version in self._templates)

    def write(self, notice: Notice, name: str) -> Letter:
        """The notice in its language, to a person of this name."""
        template = self._templates[notice.kind, notice.language, notice.version]
        voice = self._voices[notice.language]
        values = {place: _VALUES[place](notice, voice) for place in template.names}
        values["name"] = plain(name)
        return Letter(*template.fill(values))

    def _demand_equal(self) -> None:
        for kind, version in self.versions():
            found = {language: self._templates.get((kind, language, version)) for language in LANGUAGES}
            names = {language: template.names for language, template in found.items() if template is not None}
            if len(names) != len(LANGUAGES) or len(set(names.values())) != 1:
                raise TextError(f"{kind.value} version {version}: every language needs it, with equal placeholders")


def _voice(words: Words, working: Working) -> _Voice:
    lines = {name: Filled(text, _OF_PAPER, f"paper_lines: {name}") for name, text in words["paper_lines"].items()}
    return _Voice(working.figures, working, words["phrases"], words["tasks"], words["papers"], lines)


def _working(notice: Notice, voice: _Voice) -> str:
    told = _spoken(notice)
    return voice.working.explain(told.lines, told.computed, told.payable, LINES_TOLD)


def _spoken(notice: Notice) -> Explained:
    return notice.explained or Explained()


def _said(voice: _Voice, phrase: str, words: str | None) -> str:
    """A person's words behind their label; nothing when there are none."""
    return voice.phrases[phrase].replace("{}", plain(words)) if words else ""


def _amount(notice: Notice, voice: _Voice) -> str:
    return voice.figures.money(notice.amount) if notice.amount is not None else voice.phrases["amount_unknown"]


def _loss(notice: Notice, voice: _Voice) -> str:
    return voice.figures.day(notice.loss_on) if notice.loss_on is not None else voice.phrases["date_unknown"]


def _by(notice: Notice, voice: _Voice) -> str:
    return voice.figures.day(notice.by_on) if notice.by_on is not None else voice.phrases["date_unknown"]


def _executed(notice: Notice, voice: _Voice) -> str:
    return voice.figures.day(notice.executed_on) if notice.executed_on is not None else voice.phrases["date_unknown"]


_BEFORE = {NoticeKind.settled: "settled", NoticeKind.decided_nil: "nil"}
_OF_PAPER = frozenset({"paper", "kind", "line", "coverage"})


def _papers(notice: Notice, voice: _Voice) -> str:
    return "\n".join(_paper(one, notice.coverages, voice) for one in notice.papers)


def _paper(asked: RequestedDocument, coverages: Mapping[str, str], voice: _Voice) -> str:
    """What paper and for which line, with the code it is sent under; a kind without words is named by its code."""
    values = {
        "paper": voice.papers.get(asked.kind.replace("-", "_"), asked.kind),
        "kind": asked.kind,
        "line": asked.line_id or "",
        "coverage": voice.working.coverage(coverages.get(asked.line_id or "", "")),
    }
    way = "of_claim" if asked.line_id is None else "of_coverage" if values["coverage"] else "of_line"
    return voice.paper_lines[way].fill(values)


def _reason(notice: Notice, voice: _Voice) -> str:
    """A person's reason; where papers were asked for before, why they are asked for again."""
    return _said(voice, "again" if notice.about == "again" else "reason", _spoken(notice).reason)


def _opening(notice: Notice, voice: _Voice) -> str:
    return voice.phrases["papers_came"] if notice.about == "documents_received" else ""


def _parts(notice: Notice, voice: _Voice) -> str:
    """How this amount stands to what else is paid of the claim; nothing where it is all there is."""
    if notice.about == "partial":
        return voice.phrases["part"]
    if notice.before is None:
        return ""
    total = _spoken(notice).payable or notice.before
    said = voice.phrases[_BEFORE.get(notice.kind, "rest")]
    amounts = {"{before}": notice.before, "{total}": total}
    for place, amount in amounts.items():
        said = said.replace(place, voice.figures.money(amount))
    return said


_VALUES: Final[Mapping[str, Callable[[Notice, _Voice], str]]] = {
    "name": lambda notice, voice: "",
    "reference": lambda notice, voice: notice.reference,
    "loss_date": _loss,
    "by_date": _by,
    "executed_date": _executed,
    "amount": _amount,
    "working": _working,
    "reason": _reason,
    "clause": lambda notice, voice: _said(voice, "clause", _spoken(notice).clause_id),
    "fact": lambda notice, voice: _said(voice, "fact", _spoken(notice).fact),
    "appeal": lambda notice, voice: _said(voice, "appeal", _spoken(notice).appeal),
    "papers": _papers,
    "opening": _opening,
    "parts": _parts,
    "address": lambda notice, voice: notice.address or "",
    "other_reference": lambda notice, voice: notice.duplicate_of or voice.phrases["other_claim"],
    "task": lambda notice, voice: voice.tasks.get(notice.task or "", voice.tasks["other"]),
}
