"""Public test kit: both parties in one process, on shares or in the clear."""

from securexgb.testing.harness import run_parties

__all__ = ["run_parties"]
