"""Searches outside a study: run, kept in a folder, compared."""
