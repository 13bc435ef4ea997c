"""The splits of a tree: how they are found, what they do to rows, and who knows them."""
