"""A regular package: an installed `tests` (autorank brings one) would hide a folder without this file."""
