"""A small WooCommerce-compatible store for the demo, the tests and the benchmarks.

It has its own storage and knows nothing of the rest of the project. `Sandbox` runs it.
"""
