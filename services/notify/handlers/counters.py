"""What notify counts, for /metrics. No claim id stands in a label."""

from __future__ import annotations

from prometheus_client import Counter

# Outcomes of tries to send: sent, refused, later, expired, left_out, and why a notice failed.
TRIES = Counter("claimflow_notify_mail_tries_total", "Tries to send a notice by mail, by outcome", ["outcome"])

# A try after the first may repeat a mail that the server took before a crash or a broken connection: P4's known limit.
REPEATS = Counter("claimflow_notify_mail_repeats_possible_total", "Tries that may repeat an accepted mail")

# The connection broke between the mail and the server's answer, so the next try may be a repeat.
UNKNOWN = Counter("claimflow_notify_mail_outcomes_unknown_total", "Mails given to a server that did not answer")
