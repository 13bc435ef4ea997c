"""Links between processes: what carries messages, and nothing of what they mean."""
