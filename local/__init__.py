"""The whole system on one machine: its own broker, database and simulators, and the supervisor that keeps it up."""
