"""Which trial comes next: a fixed list, Optuna's proposals, packs of trials."""
