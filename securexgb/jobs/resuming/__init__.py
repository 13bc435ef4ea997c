"""What both sides go on with: the same run, the same model, and again after a lost link."""
