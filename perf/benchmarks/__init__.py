"""How fast a benchmark opens and answers."""
