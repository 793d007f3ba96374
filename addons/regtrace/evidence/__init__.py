"""evidence: what else is known? What the wire can't say, joined to the legs that it explains."""
