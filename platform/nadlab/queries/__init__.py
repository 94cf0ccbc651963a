"""What may be queried, and what it costs."""
