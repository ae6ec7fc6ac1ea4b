"""Real little servers that stand for the outside world in the demo and the tests: policy system, bank, mail.

They speak outside formats of their own, keep what they promised on disk before they answer, and can be told to fail."""
