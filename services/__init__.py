"""The stages of a claim, each its own process; they talk through the log only and never import each other."""
