"""The pair that scores: sessions that stay open between replicas, batches, models, stock."""
