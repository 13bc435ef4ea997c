"""One party on several machines: shards of rows that it works on, and a head that grows trees."""
