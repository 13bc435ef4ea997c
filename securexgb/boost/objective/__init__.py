"""What is learnt from the labels: one file an objective, and a registry of them."""
