"""The mail sink: takes mail over real SMTP, has it on disk before it says 250, and shows it to people over HTTP."""
