"""Policies on users' own NetworkPolicies, and what all of them together allow.

Those that Netreeve generates are not judged: the configuration says what is in them, and
baseline-guard lets nobody else write their labels.
"""
