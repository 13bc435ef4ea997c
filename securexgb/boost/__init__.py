"""Gradient-boosted trees on shares: the algorithm, which knows neither network nor cryptography."""
