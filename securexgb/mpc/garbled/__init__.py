"""Garbled circuits: two rounds whatever the depth, for few elements on a slow link."""
