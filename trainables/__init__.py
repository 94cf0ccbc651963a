"""What Ray Tune runs: adapters around nadlab, no science."""
