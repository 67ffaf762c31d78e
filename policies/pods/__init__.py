"""Policies on pods, wherever they are declared: a Pod or the template of a workload."""
