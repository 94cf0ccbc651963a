"""Readers of the benchmarks' official files, without the libraries that wrote them.

Each reader turns one official format into the tables of `nadlab.benchmarks.archive`; a file that is truncated,
damaged or hostile ends in a `UserError`.
"""
