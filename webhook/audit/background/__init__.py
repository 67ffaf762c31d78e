"""The audit that never ends: a verdict on every object that changes, and reports that are bounded.

Needs list and watch on what the policies judge, on nodes, and on the Lease of the controller.
"""
