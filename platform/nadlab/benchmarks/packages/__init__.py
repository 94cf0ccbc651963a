"""Benchmarks inside packages that pip installs as extras; their files are read where they lie, their code never runs.

And `own`: benchmarks of one's own code, `module:function`.
"""
