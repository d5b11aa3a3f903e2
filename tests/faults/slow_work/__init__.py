"""A test-only app whose one drain works slowly enough to be killed in the middle."""
