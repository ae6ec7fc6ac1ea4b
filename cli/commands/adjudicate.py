"""claimflow adjudicate: what a policy's terms give for a claim, step by step. Nothing runs, and nothing is stored."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import Json, print_table

if TYPE_CHECKING:
    from services.assessment.adapters.simulation import Simulated

_FILE = typer.Argument(
    help="JSON or YAML with policy and claim; `claimflow schemas show adjudication` prints its schema, "
    "examples/adjudication has some to begin from, docs/how-to/adjudicate-a-claim.md says how to write one."
)
_LANGUAGE = typer.Option("--language", help="Language of the explanation: en or zh-CN.")
_EXPLAIN = typer.Option("--explain", help="Print only the explanation.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("adjudicate")(adjudicate)


def adjudicate(
    file: Annotated[Path, _FILE],
    json: Json = False,
    language: Annotated[str, _LANGUAGE] = "en",
    explain: Annotated[bool, _EXPLAIN] = False,
) -> None:
    """Try a claim against a policy: every step, the total, what is proposed, and why, in words."""
    from explain.figures import LANGUAGES
    from hosting.exits import CannotStartError, Exit
    from services.assessment.adapters.policy_terms import load_terms
    from services.assessment.adapters.simulation import as_json, simulate_file

    if language not in LANGUAGES:
        raise CannotStartError(f"--language is one of {', '.join(LANGUAGES)}", Exit.usage)
    answer = simulate_file(file, load_terms())
    if json:
        _print_json(as_json(answer))
    elif explain:
        typer.echo(answer.explanation[language])
    else:
        _print(answer, language)


def _print(answer: Simulated, language: str) -> None:
    rows = [
        (
            f"{line.line_id} {line.coverage_code}",
            step.op,
            _shown(step.amount_in),
            _shown(step.amount_out),
            step.clause_id or "",
            step.reason or "",
        )
        for line in answer.lines
        for step in line.steps
    ]
    print_table(("line", "operation", "before", "after", "clause", "reason"), rows)
    for line in answer.lines:
        computed = line.steps or line.payable
        typer.echo(f"line {line.line_id} {line.coverage_code}: {line.payable if computed else 'not computed'}")
    typer.echo(f"total: {answer.computed}")
    typer.echo(f"proposed: {answer.proposed}")
    for title, said in (("question for a person", answer.questions), ("not computed", answer.problems)):
        for one in said:
            typer.echo(f"{title}: {one}")
    for coverage in answer.coverages:
        for refusal in coverage.refusals or ():
            typer.echo(f"not covered: line {refusal.line_id}, {refusal.reason}: {refusal.fact}")
    typer.echo(f"\n{answer.explanation[language]}")


def _shown(exact: str) -> str:
    """An amount as people write it: what no decimals can say ends in dots. The JSON has it exactly."""
    if "/" not in exact:
        return exact
    number = Fraction(exact)
    return f"{(Decimal(number.numerator) / number.denominator).quantize(Decimal('0.000001'), ROUND_DOWN)}..."


def _print_json(content: dict[str, Any]) -> None:
    import json

    # Letters as they are: the explanation is there to be read.
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
