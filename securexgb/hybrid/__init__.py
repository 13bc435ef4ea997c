"""Between the homomorphic domain and additive shares, both roles of a step in one file."""
