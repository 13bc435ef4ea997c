"""From two files to a run: links opened, terms compared, correlations found, coins drawn."""
