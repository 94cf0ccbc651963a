"""Baselines of a few lines that no paper proposes, one file each."""
