"""python -m services.assessment: runs the service until SIGTERM, with one ready line."""

from __future__ import annotations

import sys

from hosting.process import run
from services.assessment.app import start

sys.exit(run("services.assessment", start))
