"""A decision in words a customer can follow: the one renderer that mails, commands and services share."""
