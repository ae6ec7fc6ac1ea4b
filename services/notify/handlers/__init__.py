"""Between the runner and the core: following events, and sending mail as the effect of a work row."""
