"""Circuits of shared bits: chains of ands in a round, and carries made of them."""
