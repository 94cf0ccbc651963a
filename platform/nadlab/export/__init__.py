"""From a search to a network: the best cell, trained, as files that other programs read."""
