"""The core policy system: keeps effective-dated policy versions and says which one was in force at an instant."""
