"""Every fuzz target by its name."""

from importlib import import_module

from tests.fuzz import NAMES
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {name: import_module(f"tests.fuzz.{name}").TARGET for name in NAMES}
