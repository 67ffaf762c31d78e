"""The gate: wire format, which policies judge, the verdict and its words."""
