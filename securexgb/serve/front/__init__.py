"""What callers see of a replica: the Open Inference Protocol over HTTP, health, figures."""
