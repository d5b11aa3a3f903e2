"""How messages leave: one module per channel."""
