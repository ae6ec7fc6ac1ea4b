"""`python -m services.intake`: the intake service as a process; `... open-paper CLAIM_ID DOCUMENT_ID` writes one paper,
its seal opened, to the standard output.

Settings are CLAIMFLOW_* and CLAIMFLOW_INTAKE_*.
"""

import asyncio
import shutil
import sys
from collections.abc import Sequence
from tempfile import TemporaryFile

from hosting.exits import CannotStartError, Exit
from hosting.logs import configure_logs
from hosting.process import end, run
from hosting.settings import load_settings
from schemas.ids import ClaimId, DocumentId
from services.intake.app import open_paper, start
from services.intake.settings import IntakeSettings


def main(words: Sequence[str]) -> int:
    """The exit code."""
    if not words:
        return run("services.intake", start)
    match list(words):
        case ["open-paper", claim, paper]:
            return _open_paper(claim, paper)
    sys.stderr.write("services.intake: the command is open-paper CLAIM_ID DOCUMENT_ID\n")
    return Exit.usage


def _open_paper(claim: str, paper: str) -> int:
    # Nothing is written before the whole seal has held.
    with TemporaryFile() as clear:
        try:
            settings = load_settings(IntakeSettings, "intake")
            configure_logs(settings, "intake")
            asyncio.run(open_paper(settings, ClaimId(claim), DocumentId(paper), clear))
        except ValueError:
            sys.stderr.write("services.intake: open-paper needs the id of a claim and the id of a paper of it\n")
            return Exit.usage
        except CannotStartError as refused:
            sys.stderr.write(f"services.intake: {refused}\n")
            return refused.code
        clear.seek(0)
        shutil.copyfileobj(clear, sys.stdout.buffer)
    return Exit.done


if __name__ == "__main__":
    end(main(sys.argv[1:]))
