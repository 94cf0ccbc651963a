"""Benchmarks that answer by a regression model."""
