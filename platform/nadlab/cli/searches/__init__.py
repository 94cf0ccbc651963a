"""`nadlab search`: the command, and what it prints and leaves."""
