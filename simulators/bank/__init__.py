"""The bank: pays instructions once per end-to-end id, on disk before it answers, and remembers across restarts."""
