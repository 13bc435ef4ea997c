"""The application layer: each kind of job is written once, and everybody calls it here."""
