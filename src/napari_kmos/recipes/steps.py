"""What can be set for each step of a plan: the fields of its parameter class, and the options of its recipe."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from napari_kmos.align import OFFSET_METHODS, AlignParameters
from napari_kmos.combine import PLACING_METHODS, CombineParameters
from napari_kmos.errors import KmosError
from napari_kmos.esorex import ENGINES, NATIVE
from napari_kmos.extract import EXTRACT_METHODS, ExtractParameters
from napari_kmos.offset import UNACCEPTED
from napari_kmos.provenance import defaults_of, descriptions_of, groups_of
from napari_kmos.recipes.selecting import EACH
from napari_kmos.recipes.sky_tasks import SKY_STARS
from napari_kmos.recipes.zero_points import NONE, ZERO_POINTS
from napari_kmos.sky import DEFAULT_METHOD, PICKS, SKY_METHODS, SkyParameters


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
    is_fine : bool
        Whether it is a field of a base of that class: a plan has it only where it is chosen.
    """

    default: Any = None
    text: str = ""
    choices: tuple[str, ...] = ()
    example: str = ""
    is_file: bool = False
    is_parameter: bool = False
    is_fine: bool = False


def _settings(parameters: type[Any] | None, **options: Setting) -> dict[str, Setting]:
    """Return the options of a recipe and then the fields of its parameter class."""
    if parameters is None:
        return options
    texts, defaults = descriptions_of(parameters), defaults_of(parameters)
    hints = get_type_hints(parameters)
    fields = {
        name: Setting(
            default=defaults.get(name),
            text=texts.get(name, ""),
            choices=get_args(hints[name]) if get_origin(hints[name]) is Literal else (),
            example=_example(hints[name]),
            is_parameter=True,
            is_fine=number > 0,
        )
        for number, names in enumerate(groups_of(parameters).values())
        for name in names
        if name not in options
    }
    return {**options, **fields}


def _example(hint: Any) -> str:
    """Return a value to show where the default is none."""
    kinds = {bool: "true", int: "1", float: "0.2", str: '"..."'}
    return next((kinds[kind] for kind in (get_args(hint) or (hint,)) if kind in kinds), "[]")


def _engine(recipe: str) -> dict[str, Setting]:
    """Return the settings of a step that ESO's pipeline has a recipe for."""
    return {
        "engine": Setting(
            default=NATIVE,
            choices=ENGINES,
            text=f"What does it: napari-kmos, or ESO's {recipe}, which takes fewer of these settings.",
        ),
        "recipe_options": Setting(
            default=(),
            text=f'With engine esorex, further parameters of {recipe}, such as ["name=value"].',
        ),
    }


#: Parameter class of each step.
PARAMETERS: Mapping[str, type[Any] | None] = {
    "sky-tweak": SkyParameters,
    "align": AlignParameters,
    "combine": CombineParameters,
    "extract": ExtractParameters,
    "compare": None,
}

#: The steps in their order, and the settings of each.
STEPS: Mapping[str, Mapping[str, Setting]] = {
    "sky-tweak": _settings(
        SkyParameters,
        **_engine("kmos_sky_tweak"),
        method=Setting(default=DEFAULT_METHOD, choices=tuple(SKY_METHODS), text="How the sky is matched."),
        pick=Setting(
            default="nearest",
            choices=PICKS,
            text="Which of several skies is taken: the nearest in time, that which leaves least, or two interpolated.",
        ),
        sky_stars=Setting(
            default="mask", choices=SKY_STARS, text="Stars in sky exposures: put sky in their place, or keep them."
        ),
    ),
    "align": _settings(
        AlignParameters,
        method=Setting(default="correlation", choices=tuple(OFFSET_METHODS), text="How offsets are measured."),
        offsets=Setting(
            example='"offsets.ecsv"', is_file=True, text="Take these offsets, as the Align IFUs dock writes them."
        ),
        reference=Setting(
            example='"K_2022.fits"',
            is_file=True,
            text="What is right, in place of the first exposure: a combined cube, a mosaic, an image with coordinates.",
        ),
        catalogue=Setting(
            example='"stars.ecsv"',
            is_file=True,
            text="Catalogue that is right, for the methods catalogue and stars; its columns are found by their names.",
        ),
    ),
    "combine": _settings(
        CombineParameters,
        **_engine("kmos_combine"),
        by=Setting(
            default="all",
            choices=("all", "epoch", "half"),
            text="What is merged: all exposures, those of an epoch, or those of a half of an epoch.",
        ),
        mosaic=Setting(default=False, text="Put all IFUs on one grid, instead of a cube for each target."),
        each=Setting(default="target", choices=EACH[:2], text="Of what there is a cube each, without a mosaic."),
        drop=Setting(
            default=(),
            text="Files of objects to leave out; what was made of them, and the offsets of the others, stays as it is.",
        ),
        zero_points=Setting(
            default=NONE,
            choices=ZERO_POINTS[:2],
            text="Wavelength zero points to take out of each exposure: none, or what sky-tweak found (header).",
        ),
        unaccepted=Setting(
            default="header",
            choices=UNACCEPTED,
            text="What to do with an exposure whose offset is not accepted: trust its header, skip it, or stop.",
        ),
        method=Setting(
            default="user",
            choices=tuple(PLACING_METHODS),
            text="How exposures are placed; user takes the offsets of [align].",
            is_parameter=True,
        ),
    ),
    "extract": _settings(
        ExtractParameters,
        apertures=Setting(
            example='"stars.ecsv"',
            is_file=True,
            text="Stars and sky areas: a table (.ecsv) or ds9 regions (.reg), as the Spectra dock writes them.",
        ),
        method=Setting(default="aperture", choices=tuple(EXTRACT_METHODS), text="How light becomes a spectrum."),
    ),
    "compare": _settings(
        None,
        windows=Setting(example='"2.10-2.15,2.20-2.28"', text="Where the SNR is measured, in micron."),
        lines=Setting(example='"lines.ecsv"', is_file=True, text="Lines to mark, instead of the packaged ones."),
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
        expected = None if known[name].is_parameter else _kind_of(known[name].default, value)
        if expected is not None:
            msg = f"{where}: {name} is {value!r}; expected {expected}"
            raise KmosError(msg)
    build_parameters(step, settings, where=where)


def _kind_of(default: Any, value: Any) -> str | None:
    """Say what is expected instead of a value of another kind than the default; None if it fits."""
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    if isinstance(default, tuple):
        fits = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        return None if fits else "a list of names in quotes, or []"
    return None


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
    fields = {name: setting.default for name, setting in STEPS[step].items() if setting.is_parameter}
    given = {name: value for name, value in settings.items() if name in fields}
    try:
        return parameters(**{**fields, **{name: _fitted(name, value, hints[name]) for name, value in given.items()}})
    except (TypeError, ValueError) as err:
        msg = f"{where}: {err}"
        raise KmosError(msg) from err


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
