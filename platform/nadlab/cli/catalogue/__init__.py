"""What there is to choose from by name: methods, studies."""
