"""The configuration file: its schema, reading it with every error at once, and reloading it."""

from webhook.config.load import ConfigError, load, ruleset
from webhook.config.positions import Problem
from webhook.config.schema import GateConfig

__all__ = ["ConfigError", "GateConfig", "Problem", "load", "ruleset"]
