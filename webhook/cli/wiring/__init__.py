"""Builds long-running processes from their options; loaded by the command that runs one."""
