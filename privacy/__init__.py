"""Personal data travel sealed: one key per person, wrapped by a master key kept elsewhere.

Destroying a person's key erases the person and leaves the claim's history true. See `privacy.wiring.open_sealer`."""
