"""Protocols on shares: every file holds one, with its contract declared beside it."""
