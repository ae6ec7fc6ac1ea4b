"""Who may import whom (.importlinter): a broken contract fails here and says which import broke it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINTER = Path(sys.executable).with_name("lint-imports")


def test_every_import_contract_is_kept() -> None:
    result = subprocess.run([LINTER, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)

    report = result.stdout + result.stderr
    assert result.returncode == 0, report[report.find("Contracts") :]


def test_help_imports_nothing_heavy() -> None:
    # Help must come in well under a second, which a single heavy import at the top of a command would cost.
    heavy = "aiokafka faust fastapi jgo kafka pydantic sqlalchemy uvicorn"
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from cli.app import build; build(); "
        f"print(*sorted(set({heavy!r}.split()) & set(sys.modules)))"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert result.stdout.split() == [], "import it inside the command's function"
