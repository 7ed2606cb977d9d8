"""What can be set for each step of a plan: the fields of its parameter class, and the options of its recipe."""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from napari_kmos.errors import KmosError
from napari_kmos.provenance import descriptions_of
from napari_kmos.sky import SKY_METHODS, SkyParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting of a step.

    Parameters
    ----------
    default : object
        None is no value; a plan has the setting as a comment then.
    text : str
        What it means.
    choices : tuple of str
        The values it may have; empty is any.
    example : str
        A value for the comment, as TOML.
    is_file : bool
        Whether it names a file, relative to the plan.
    is_parameter : bool
        Whether it is a field of the step's parameter class.
    """

    default: Any = None
    text: str = ""
    choices: tuple[str, ...] = ()
    example: str = ""
    is_file: bool = False
    is_parameter: bool = False


def _settings(parameters: type[Any] | None, **options: Setting) -> dict[str, Setting]:
    """Return the options of a recipe and then the fields of its parameter class."""
    if parameters is None:
        return options
    texts = descriptions_of(parameters)
    fields = {
        field.name: Setting(default=_default(field), text=texts.get(field.name, ""), is_parameter=True)
        for field in dataclasses.fields(parameters)
    }
    return {**options, **{name: setting for name, setting in fields.items() if name not in options}}


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default is dataclasses.MISSING else field.default


#: Parameter class of each step.
PARAMETERS: Mapping[str, type[Any] | None] = {
    "sky-tweak": SkyParameters,
    "align": None,
    "combine": None,
    "extract": None,
    "compare": None,
}

#: The steps in their order, and the settings of each.
STEPS: Mapping[str, Mapping[str, Setting]] = {
    "sky-tweak": _settings(
        SkyParameters,
        method=Setting(default="davies", choices=tuple(SKY_METHODS), text=f"One of {', '.join(SKY_METHODS)}."),
        pick=Setting(default="nearest", choices=("nearest",), text="Which of several skies: nearest in time."),
    ),
    "extract": _settings(
        None,
        apertures=Setting(
            example='"stars.ecsv"',
            is_file=True,
            text="Stars and sky areas: a table (.ecsv) or ds9 regions (.reg), as the Spectra dock writes them.",
        ),
    ),
}


def check_settings(step: str, settings: Any, *, where: str) -> None:
    """Check the settings of a step.

    Raises
    ------
    KmosError
        If a name is not known or a value not possible.
    """
    if not isinstance(settings, Mapping):
        msg = f"{where}: is {settings!r}; expected a table of settings"
        raise KmosError(msg)
    known = STEPS[step]
    for name, value in settings.items():
        if name not in known:
            msg = f"{where}: unknown setting {name!r}; expected {nearest_word(name, known)}"
            raise KmosError(msg)
        if known[name].choices and value not in known[name].choices:
            msg = f"{where}: {name} is {value!r}; expected {', '.join(known[name].choices)}"
            raise KmosError(msg)
        if known[name].is_file and not isinstance(value, str):
            msg = f"{where}: {name} is {value!r}; expected the name of a file"
            raise KmosError(msg)
    build_parameters(step, settings, where=where)


def build_parameters(step: str, settings: Mapping[str, Any], *, where: str = "plan") -> Any:
    """Build the parameter object of a step from its settings; None if it has none.

    Raises
    ------
    KmosError
        If a value has the wrong type or is refused.
    """
    parameters = PARAMETERS[step]
    if parameters is None:
        return None
    hints = get_type_hints(parameters)
    given = {name: value for name, value in settings.items() if STEPS[step][name].is_parameter}
    try:
        return parameters(**{name: _fitted(name, value, hints[name]) for name, value in given.items()})
    except (TypeError, ValueError) as err:
        msg = f"{where}: {err}"
        raise KmosError(msg) from err


def option(step: str, settings: Mapping[str, Any], name: str) -> Any:
    """Return a setting, or its default."""
    return settings.get(name, STEPS[step][name].default)


def nearest_word(word: str, known: Iterable[str]) -> str:
    """Return the known word that was probably meant, else all of them."""
    words = list(known)
    near = difflib.get_close_matches(word, words, n=1)
    return f"{near[0]!r}" if near else ", ".join(words)


def _fitted(name: str, value: Any, hint: Any) -> Any:
    """Return a TOML value as the field's type has it; whole numbers serve as float, arrays as tuple."""
    kinds = [kind for kind in (get_args(hint) or (hint,)) if kind is not type(None)] if _is_union(hint) else [hint]
    for kind in kinds:
        origin = get_origin(kind) or kind
        if origin is tuple and isinstance(value, list):
            return tuple(value)
        if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if kind in (bool, int, str) and type(value) is kind:
            return value
        if origin not in (bool, int, float, str, tuple):
            return value
    expected = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
    msg = f"{name} is {value!r}; expected a value of type {expected}"
    raise TypeError(msg)


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)
