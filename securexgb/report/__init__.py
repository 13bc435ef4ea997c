"""What a run leaves for people to read: metrics, figures, one HTML page, one JSON object."""
