"""SemiGAN-NAD and its rivals, by name in `registry.py`."""
