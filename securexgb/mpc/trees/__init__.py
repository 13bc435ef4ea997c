"""What goes down trees in shares."""
