"""securexgb: gradient-boosted trees over the columns of two parties, neither seeing the other's."""

__version__ = "0.1.0"
