"""Networks that the method and its rivals share."""
