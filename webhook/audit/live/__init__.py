"""The audit of a running cluster: what its objects would get if they were created now.

Reads page by page with the rights of whoever asks, judges by the same gate, and changes nothing.
"""
