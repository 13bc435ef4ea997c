"""Metrics of evaluation sets: when they are measured, and how they are."""
