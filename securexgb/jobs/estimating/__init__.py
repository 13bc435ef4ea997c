"""What a job will cost, told before it starts: see ``estimate``."""
