"""Rules that users write themselves: their texts and stories in YAML, their conditions in CEL."""
