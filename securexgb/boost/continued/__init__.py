"""A training that goes on from an earlier model: its trees come first, new ones are added."""
