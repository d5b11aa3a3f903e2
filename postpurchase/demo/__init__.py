"""The demo: an installation filled from the sandbox store, and the whole main job checked station by station."""
