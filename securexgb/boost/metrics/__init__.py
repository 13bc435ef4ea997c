"""What single rows count in a metric, where that takes more than a line of ``evaluation``."""
