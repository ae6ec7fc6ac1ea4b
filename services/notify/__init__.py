"""Tells people, once and in their language, what became of their claim."""
