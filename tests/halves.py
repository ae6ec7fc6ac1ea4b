"""Runs the tests in two processes side by side: those with real servers mostly wait, the others mostly reckon.

    python -m tests.halves [words for pytest]

What the first says is shown as it comes, what the second says at the end. Ends with 0 if both are content.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

SERVERS = "broker or database"
NOTHING_TO_RUN = 5
"""What pytest ends with where no test fits: no fault of one half, if the other has some."""


def of_half(words: list[str], half: str) -> list[str]:
    """The words for one half: what `-m` asks for, and this."""
    asked, rest = half, list[str]()
    left = iter(words)
    for word in left:
        if word == "-m":
            asked = f"({next(left, '')}) and ({half})"
        else:
            rest.append(word)
    return ["-m", asked, *rest]


def both(codes: tuple[int, int]) -> int:
    """One exit code for two: the first fault; nothing to run only if neither had anything."""
    faults = [code for code in codes if code not in (0, NOTHING_TO_RUN)]
    if faults:
        return faults[0]
    return NOTHING_TO_RUN if codes == (NOTHING_TO_RUN, NOTHING_TO_RUN) else 0


def main(words: list[str]) -> int:
    began = time.monotonic()
    pytest = [sys.executable, "-m", "pytest"]
    with tempfile.TemporaryFile() as kept:
        second = subprocess.Popen([*pytest, *of_half(words, f"not ({SERVERS})")], stdout=kept, stderr=kept)
        try:
            first = subprocess.call([*pytest, *of_half(words, SERVERS)])
            codes = (first, second.wait())
        except KeyboardInterrupt:
            second.wait()
            return 130
        kept.seek(0)
        sys.stdout.write(kept.read().decode(errors="replace"))
    print(f"both halves: {time.monotonic() - began:.0f} s, exit {both(codes)}", flush=True)
    return both(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
