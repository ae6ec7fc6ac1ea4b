"""The operations themselves, each a pure function of a position and the terms; the list of them is `vocabulary`."""
