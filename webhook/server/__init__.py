"""The HTTPS server: protocol limits, TLS, the hot path, health, overload and drain.

Knows the gate as a function from a Review to a Verdict, and no policy.
"""
