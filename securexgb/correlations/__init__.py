"""Correlated randomness: what each kind of it is, and what protocols ask a source for."""
