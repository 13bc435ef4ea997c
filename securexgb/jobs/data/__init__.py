"""How a side's rows are read: files as tables, and which column of a table is what."""
