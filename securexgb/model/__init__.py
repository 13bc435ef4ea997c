"""A trained half of a model on disk, and what of it can be shown."""
