"""From the text of a configuration to a GateConfig, or to every error in it at once."""

from __future__ import annotations

from collections.abc import Iterable

from webhook.admission.ruleset import Ruleset
from webhook.config.convert import BROKEN, Converter
from webhook.config.positions import Document, Problem
from webhook.config.resolve import resolve
from webhook.config.schema import API_VERSION, KIND, GateConfig
from webhook.config.yamltext import decode, documents


class ConfigError(Exception):
    """A configuration that cannot be used.

    problems: all of them, in the order of the file. name: of the file, for messages.
    """

    def __init__(self, problems: Iterable[Problem], name: str = "configuration") -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line or 0, problem)))
        self.name = name
        super().__init__("\n".join(f"{name}: {problem}" for problem in self.problems))


def load(text: str | bytes, name: str = "configuration") -> GateConfig:
    """The configuration in a YAML or JSON text. Raises ConfigError with every problem."""
    document = _document(text, name)
    converter = Converter()
    value = document.value
    for key, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if isinstance(value, dict) and key not in value:
            converter.problem(key, f"is required: {wanted}")
    config = converter.convert(value, GateConfig)
    if config is not BROKEN:
        resolve(config, converter)
    problems = [
        problem._replace(line=document.line_of(problem.path)) for problem in converter.problems
    ]
    wrong = (*document.problems, *document.repeated, *problems)
    if wrong:
        raise ConfigError(wrong, name)
    assert isinstance(config, GateConfig)
    return config


def ruleset(config: GateConfig) -> Ruleset:
    """What the gate is built from. Raises ConfigError for a GateConfig that `load` has not seen."""
    converter = Converter()
    resolved = resolve(config, converter)
    if converter.problems:
        raise ConfigError(converter.problems)
    return resolved


def _document(text: str | bytes, name: str) -> Document:
    try:
        found = documents(decode(text) if isinstance(text, bytes) else text.lstrip("\ufeff"))
    except ValueError:
        raise ConfigError([Problem("", "is not UTF-8 text")], name) from None
    if len(found) != 1:
        what = "is empty" if not found else "must hold one document"
        line = found[1].line if found else None
        raise ConfigError([Problem("", what, line)], name)
    if found[0].problems and found[0].value is None:
        raise ConfigError(found[0].problems, name)
    return found[0]
