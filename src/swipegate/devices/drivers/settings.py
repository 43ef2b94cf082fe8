"""Settings of drivers, from what a file or a message gives."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, TypeAdapter, ValidationError

from swipegate.devices.errors import SettingsError
from swipegate.devices.line import LineSettings

S = TypeVar("S")


def _split(value: object) -> object:
    """A list, which in the string map of a message is a text such as `1,2`."""
    return value.split(",") if isinstance(value, str) else value


def _choice_of_tracks(tracks: tuple[int, ...]) -> tuple[int, ...]:
    if not tracks or not set(tracks) <= {1, 2, 3} or len(set(tracks)) != len(tracks):
        raise ValueError("is not a choice of 1, 2 and 3")
    return tracks


Integers = Annotated[tuple[int, ...], BeforeValidator(_split)]
Tracks = Annotated[Integers, AfterValidator(_choice_of_tracks)]


def settings_from(kind: type[S], settings: Mapping[str, Any]) -> S:
    """A settings dataclass; numbers, lists of numbers and truth values may come as text.

    :raises SettingsError: a setting is unknown or wrong; it is named.
    """
    _refuse_unknown(kind, settings)
    try:
        return TypeAdapter(kind).validate_python(settings)
    except ValidationError as error:
        raise _first_problem(error) from None


def line_from(line: LineSettings, settings: Mapping[str, Any]) -> tuple[LineSettings, dict[str, Any]]:
    """A driver's line, changed by those settings that are the line's; and the other settings.

    :raises SettingsError: one is wrong; it is named.
    """
    names = {field.name for field in fields(LineSettings)}
    own = {name: value for name, value in settings.items() if name in names}
    rest = {name: value for name, value in settings.items() if name not in names}
    return replace(line, **{name: getattr(settings_from(LineSettings, own), name) for name in own}), rest


def _refuse_unknown(kind: type[Any], settings: Mapping[str, Any]) -> None:
    known = {field.name for field in fields(kind)}
    for name in settings:
        if name not in known:
            raise SettingsError(name, f"is none of {', '.join(sorted(known))}")


def _first_problem(error: ValidationError) -> SettingsError:
    problem = error.errors(include_url=False, include_input=False)[0]
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, SettingsError):
        return cause
    name = str(problem["loc"][0]) if problem["loc"] else "settings"
    return SettingsError(name, str(cause) if cause else problem["msg"])
