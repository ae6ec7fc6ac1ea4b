"""Notify's outside: the database, the mail server, the files of texts."""
