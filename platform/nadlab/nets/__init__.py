"""Networks that the method and its rivals share: graph isomorphism networks and autoregressive discrete decisions."""
