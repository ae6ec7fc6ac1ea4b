"""python -m services.assessment: runs the service until SIGTERM; `... openapi` writes the description of its API."""

from __future__ import annotations

import json
import sys

from hosting.exits import Exit
from hosting.process import run
from services.assessment.app import api, start


def main(words: list[str]) -> int:
    """The exit code."""
    if not words:
        return run("services.assessment", start)
    if words == ["openapi"]:
        sys.stdout.write(json.dumps(api(), indent=2, ensure_ascii=False) + "\n")
        return Exit.done
    sys.stderr.write("services.assessment: the one command is openapi\n")
    return Exit.usage


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
