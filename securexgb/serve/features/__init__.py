"""Where own columns of a key are looked up: a file, or the company's own service."""
