"""`python -m services.ops`: the ops service as a process; `... rebuild-views` drops the views, to be built again;
`... openapi` writes the API's description.

Settings are CLAIMFLOW_* and CLAIMFLOW_OPS_*.
"""

import sys
from collections.abc import Sequence

from hosting.exits import CannotStartError, Exit
from hosting.process import run
from hosting.settings import load_settings
from services.ops.app import described, rebuild_views, start
from services.ops.settings import OpsSettings


def main(words: Sequence[str]) -> int:
    """The exit code."""
    if not words:
        return run("services.ops", start)
    if list(words) == ["rebuild-views"]:
        return _rebuild()
    if list(words) == ["openapi"]:
        sys.stdout.write(described())
        return Exit.done
    sys.stderr.write("services.ops: the commands are rebuild-views and openapi\n")
    return Exit.usage


def _rebuild() -> int:
    import asyncio

    try:
        asyncio.run(rebuild_views(load_settings(OpsSettings, "ops")))
    except CannotStartError as refused:
        sys.stderr.write(f"services.ops: {refused}\n")
        return refused.code
    sys.stdout.write("services.ops: the views are empty; the service builds them again from the topics\n")
    return Exit.done


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
