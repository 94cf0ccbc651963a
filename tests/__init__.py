"""A regular package: an installed `tests` would hide a folder without this file."""
