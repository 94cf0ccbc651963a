"""Drawings and signatures of cells."""
