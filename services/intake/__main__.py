"""`python -m services.intake`: the intake service as a process. Settings are CLAIMFLOW_* and CLAIMFLOW_INTAKE_*."""

import os
import sys

from hosting.process import run
from messaging.crash_points import arm_from
from services.intake.app import start

if __name__ == "__main__":
    arm_from(os.environ)
    sys.exit(run("services.intake", start))
