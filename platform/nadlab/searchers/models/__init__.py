"""Models that the rivals train."""
