"""What ops does: projecting events, recording reviews, giving orders, erasing persons. I/O only through ports."""
