"""Pages and addresses of the stores app, one module per subject."""
