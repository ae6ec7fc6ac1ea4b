"""Runs notify: `python -m services.notify`."""

import sys

from hosting.process import run
from services.notify.app import start

if __name__ == "__main__":
    sys.exit(run("services.notify", start))
