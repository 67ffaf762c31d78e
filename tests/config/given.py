"""What every configuration of the tests begins with."""

from __future__ import annotations

HEAD = "apiVersion: netreeve.io/v1alpha1\nkind: GateConfig\n"
