"""Who may still be scored: budgets, and the audit of what was asked, in one SQLite file a side."""
