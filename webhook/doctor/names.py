"""What the objects of an installation are called, whatever namespace they are in."""

CONFIGURATION = "00-netreeve"
SERVE = "netreeve-serve"
CONTROL = "netreeve-control"
SERVICE = "netreeve-serve"
TLS_SECRET = "netreeve-tls"  # noqa: S105 - a name, no password
LEASE = "netreeve-control"
NAMESPACE = "netreeve"
