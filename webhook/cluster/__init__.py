"""Everything that talks to the Kubernetes API: credentials, connection, reflector, caches."""
