"""What a party does with its own columns alone: bins, and categories."""
