"""redact: what may leave this machine? Only what a handler here has passed."""
