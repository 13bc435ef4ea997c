"""Which rows of a side's files the other side has, too: found once, kept, and used by every job."""
