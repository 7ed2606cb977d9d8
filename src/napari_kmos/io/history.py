"""How a product was made: the recipe blocks and HISTORY lines of its primary header."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_kmos.instrument import key_recipe

if TYPE_CHECKING:
    from astropy.io import fits

_BLOCK = re.compile(r"^ESO PRO REC(\d+) ")
_PARAMETER = re.compile(r"^ESO PRO REC\d+ PARAM(\d+) NAME$")
_RAW = re.compile(r"^ESO PRO REC\d+ RAW\d+ NAME$")
_CALIBRATION = re.compile(r"^ESO PRO REC\d+ (CAL\d+) NAME$")
_DEFAULT = re.compile(r"Default:\s*(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeBlock:
    """One step of a product's history, as its header tells it.

    Parameters
    ----------
    recipe : str
        Recipe or step.
    version : str
        Pipeline and version.
    inputs : tuple of str
        Names of the input files.
    parameters : dict
        Parameter name to value, as text.
    changed : dict
        Those of the parameters whose value is not the default that the header names.
    defaults : dict
        Defaults that the header names, by parameter.
    calibrations : tuple of (str, str)
        Category and name of the calibrations used; the category is empty where it is not told.
    """

    recipe: str
    version: str = ""
    inputs: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    calibrations: tuple[tuple[str, str], ...] = ()


def read_recipe_blocks(primary: fits.Header) -> tuple[RecipeBlock, ...]:
    """Return the ``ESO PRO RECk`` blocks in their order; parameters are found by name, never by number."""
    keys: dict[int, list[str]] = {}
    for key in primary:
        if match := _BLOCK.match(key):
            keys.setdefault(int(match[1]), []).append(key)
    return tuple(_block(primary, number, keys[number]) for number in sorted(keys))


def read_history(primary: fits.Header) -> tuple[str, ...]:
    """Return the HISTORY lines; a long entry, which FITS cuts in pieces of 72 letters, is one line again."""
    lines: list[str] = []
    whole = True
    for card in primary.get("HISTORY", ()):
        if whole:
            lines.append(str(card))
        else:
            lines[-1] += str(card)
        whole = len(str(card)) < 72
    return tuple(line.strip() for line in lines)


def _block(primary: fits.Header, number: int, keys: list[str]) -> RecipeBlock:
    parameters, defaults = {}, {}
    for key in keys:
        match = _PARAMETER.match(key)
        if match is None:
            continue
        value_key = key_recipe(number, f"PARAM{match[1]} VALUE")
        name = _text(primary.get(key))
        parameters[name] = _text(primary.get(value_key))
        if value_key in primary and (default := _DEFAULT.search(primary.comments[value_key])):
            defaults[name] = default[1].strip().strip("'\"")
    used = [(match[1], key) for key in keys if (match := _CALIBRATION.match(key))]
    return RecipeBlock(
        recipe=_text(primary.get(key_recipe(number, "ID"))),
        version=_text(primary.get(key_recipe(number, "PIPE ID"))),
        inputs=tuple(_text(primary[key]) for key in keys if _RAW.match(key)),
        parameters=parameters,
        changed={name: value for name, value in parameters.items() if defaults.get(name) != value},
        defaults=defaults,
        calibrations=tuple(
            (_text(primary.get(key_recipe(number, f"{one} CATG"))), _text(primary[key])) for one, key in used
        ),
    )


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
