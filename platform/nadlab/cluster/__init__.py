"""What trials run on: Ray, its nodes and their resources."""
