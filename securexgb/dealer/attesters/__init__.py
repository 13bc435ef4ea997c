"""Who makes evidence at the dealer: Gramine, a kernel's configfs, or a key that plays a machine."""
