"""What is served over HTTP about ourselves."""
