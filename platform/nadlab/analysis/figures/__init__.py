"""The report's plots: each function returns a matplotlib figure, drawn without a display."""
