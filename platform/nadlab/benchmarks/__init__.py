"""Benchmarks: what an evaluation costs and answers, and the ledger that counts it."""
