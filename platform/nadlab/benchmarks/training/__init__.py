"""Benchmarks that train: a cell becomes a network, which is trained on images and measured."""
