"""python -m services.payment: prints one ready line with its address."""

from __future__ import annotations

import os
import sys

from hosting.process import run
from messaging.crash_points import arm_from
from services.payment.app import start

arm_from(os.environ)
sys.exit(run("services.payment", start))
