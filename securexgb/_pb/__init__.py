"""Stubs generated from proto/ by ``python -m securexgb._pb.generate``; not written by hand."""
