"""Policies on Namespaces."""
