"""Classes by name: those that are built in, and those that other packages bring by entry points."""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from swipegate.devices.errors import SettingsError

T = TypeVar("T")


class Registry(Generic[T]):
    """Classes of one kind by name. The names that are built in cannot be taken."""

    def __init__(self, noun: str, kind: type[T], group: str, built_in: Mapping[str, tuple[str, str]]) -> None:
        """`built_in` maps a name to a module and a class in it, imported when first asked for."""
        self._noun = noun
        self._kind = kind
        self._group = group
        self._built_in = built_in

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted({*self._built_in, *self._plugged_in()})

    def find(self, name: str) -> type[T]:
        """The class of this name.

        :raises SettingsError: there is none, or it cannot be loaded.
        """
        if name in self._built_in:
            module, attribute = self._built_in[name]
            found = getattr(import_module(module), attribute)
        elif (entry_point := self._plugged_in().get(name)) is not None:
            try:
                found = entry_point.load()
            except Exception as error:
                raise SettingsError(self._noun, f"{entry_point.value} cannot be loaded: {error!r}") from error
        else:
            raise SettingsError(self._noun, f"{name!r} is none of {', '.join(self.names())}")
        if not (isinstance(found, type) and issubclass(found, self._kind)):
            raise SettingsError(self._noun, f"{name!r} is no {self._kind.__name__}")
        return found

    def _plugged_in(self) -> dict[str, EntryPoint]:
        points = entry_points(group=self._group)
        return {point.name: point for point in points if point.name not in self._built_in}
