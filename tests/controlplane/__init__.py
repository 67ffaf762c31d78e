"""A real Kubernetes control plane for the tests: built once, cached, started in seconds.

Nothing in here knows Netreeve: it offers an API server and its controllers, as they are.
"""
