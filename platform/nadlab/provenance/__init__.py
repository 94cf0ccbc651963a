"""What made a result: code and hardware."""
