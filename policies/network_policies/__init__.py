"""Policies on users' own NetworkPolicies, and what all of them together allow."""
