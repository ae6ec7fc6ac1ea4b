"""Kafka and its clients: settings, producer, readers, admin, two engines. Nothing of it leaks into the runner."""
