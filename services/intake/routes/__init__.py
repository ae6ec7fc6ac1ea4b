"""Intake's HTTP side: two routes that take reports, their OpenAPI document, and what bounds them."""
