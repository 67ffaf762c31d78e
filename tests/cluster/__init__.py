"""What talks to the Kubernetes API, against a real API server."""
