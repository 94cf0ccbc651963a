"""Which trial comes next: a fixed list, packs of trials, what Optuna proposes."""
