"""python -m cli, which ./claimflow runs: parse, do, and turn every fault into one line and an exit code."""

from __future__ import annotations

import sys

from cli.app import main

sys.exit(main(sys.argv[1:]))
