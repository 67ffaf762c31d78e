"""Edits that settle findings: in the text of a manifest, and nowhere else in it."""
