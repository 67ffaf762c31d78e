"""Helm itself, built from its Go module as the control plane is, and what is rendered with it."""
