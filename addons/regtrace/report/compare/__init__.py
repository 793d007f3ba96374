"""Two operations side by side: a good one and a bad one, and where they part."""
