"""What is meant by the paths, and patterns of paths, that somebody types."""
