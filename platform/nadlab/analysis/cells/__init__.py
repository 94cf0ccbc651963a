"""What cells look like and what they are made of."""
