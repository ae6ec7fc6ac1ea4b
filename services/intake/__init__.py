"""Intake: takes reports of losses over HTTP, records each once, and tells it as ClaimReported. See README.md."""
