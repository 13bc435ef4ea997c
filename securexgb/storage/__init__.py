"""Files at rest: written whole or not at all, for the user alone, and encrypted where asked."""
