"""Row correlations made by two parties, and how far ahead of use."""
