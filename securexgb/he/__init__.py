"""Homomorphic encryption: schemes, their parameters and layouts; no protocol, no network."""
