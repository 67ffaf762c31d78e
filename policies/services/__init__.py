"""Policies on Services and on what stands behind them."""
