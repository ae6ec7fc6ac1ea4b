"""python -m services.payment: prints one ready line with its address."""

from __future__ import annotations

import sys

from hosting.process import run
from services.payment.app import start

sys.exit(run("services.payment", start))
