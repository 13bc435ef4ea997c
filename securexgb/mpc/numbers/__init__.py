"""Arithmetic on shared numbers, written over the protocols of ``mpc``."""
