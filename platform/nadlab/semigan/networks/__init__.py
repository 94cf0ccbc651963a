"""AG, PP and D of Supplement C, and the decisions that make a cell."""
