"""Which rows the two sides have in common, and in which order."""
