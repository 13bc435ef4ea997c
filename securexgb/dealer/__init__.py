"""The dealer: a third process that hands out correlated randomness and sees no data."""
