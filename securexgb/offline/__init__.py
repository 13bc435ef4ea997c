"""Where correlated randomness comes from, behind one interface: ``offline.source``."""
