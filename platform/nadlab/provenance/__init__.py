"""Provenance of a result: code and hardware."""
