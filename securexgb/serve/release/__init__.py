"""The key of a model's half, given to replicas that prove what they are, and to no file."""
