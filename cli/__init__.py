"""The claimflow command."""
