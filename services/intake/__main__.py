"""`python -m services.intake`: the intake service as a process. Settings are CLAIMFLOW_* and CLAIMFLOW_INTAKE_*."""

import sys

from hosting.process import run
from services.intake.app import start

if __name__ == "__main__":
    sys.exit(run("services.intake", start))
