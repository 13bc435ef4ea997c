"""Scores on request, at a service level: two replicas side by side, one at each company."""
