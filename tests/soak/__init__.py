"""A long run over a live stream, and what must not grow meanwhile."""
