"""What parts of one process tell each other in the clear: insecure on purpose."""
