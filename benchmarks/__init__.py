"""Measures claimflow on both engines, the whole pipeline and a single hop, beside a bare relay, in one run."""
