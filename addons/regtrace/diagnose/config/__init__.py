"""Configuration: what a check is, what checks share, and what traffic says of their findings."""
