"""What makes training fast; no result depends on it but by rounding."""
