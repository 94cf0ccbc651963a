"""Search methods for several objectives."""
