"""The gate behind a real API server: every path by which an object gets in."""
