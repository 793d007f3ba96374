"""The report as a page for a browser: one file, whole without script and without a network."""
