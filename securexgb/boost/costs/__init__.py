"""What trees, metrics and scores cost, told beforehand from public shapes alone."""
