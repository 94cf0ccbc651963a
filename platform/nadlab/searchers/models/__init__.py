"""Models of the rivals."""
