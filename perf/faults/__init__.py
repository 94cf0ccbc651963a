"""Studies that are killed at random moments."""
