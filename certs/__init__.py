"""Keys and certificates, pure: time is an argument and nothing is read or written."""
