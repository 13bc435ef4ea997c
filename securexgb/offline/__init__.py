"""Sources of correlated randomness, behind the interface ``correlations.source``."""
