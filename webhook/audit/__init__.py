"""Judging what lies outside of a review: sources of objects, the same gate, findings, reports."""
