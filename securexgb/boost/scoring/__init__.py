"""Scores of rows on request: all trees of a model at once, in few messages."""
