"""Arithmetic below every protocol: the ring, fixed point, bits, the pseudorandom stream."""
