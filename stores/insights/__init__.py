"""Numbers about how people come back. Each says what it counts and over whom."""
