"""Payment's ways to the bank and to its database, each behind a port of `services.payment.ports`."""
