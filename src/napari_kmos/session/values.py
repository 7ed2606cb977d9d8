"""Decisions as plain data and back: what a text file holds, each value by its type, nothing else."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from napari_kmos.aperture import Aperture
from napari_kmos.errors import KmosError
from napari_kmos.extract import ExtractParameters
from napari_kmos.measure import StarMeasurement
from napari_kmos.offset import Offset
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.report.traces import Continuum, Look
from napari_kmos.session.state import Session, kinds_of_decisions
from napari_kmos.spectral.windows import Window
from napari_kmos.spectrum import SpectralLine, StarSpectrum

#: What the annotations of `Session` name.
_TYPES = (Aperture, ExtractParameters, StarMeasurement, Offset, Outcome, Continuum, Look, SpectralLine, StarSpectrum)
_ODD_NUMBERS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_LONGEST_TOLD = 60
_NOT_THERE = object()


def to_plain(values: Mapping[str, Any], name_of: Callable[[Path], str]) -> dict[str, Any]:
    """Return decisions as what JSON can hold.

    Parameters
    ----------
    values : mapping
        By the name of the field.
    name_of : callable
        Returns how a file is named.
    """
    return {name: _plain(value, name_of) for name, value in values.items()}


def from_plain(content: Mapping[str, Any], path_of: Callable[[str], Path]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the decisions that plain data hold, and what of them cannot be understood.

    Parameters
    ----------
    content : mapping
        By the name of the field, whatever somebody may have written there.
    path_of : callable
        Returns the file of a name.

    Returns
    -------
    tuple of (dict, tuple of str)
        Values that have the type of their field; and in words what was left out, and why.
    """
    reader = _Reader(path_of)
    hints, values = _hints(Session), {}
    for name, plain in content.items():
        if name not in kinds_of_decisions():
            reader.problems.append(f"{_told(name)} is no field of a session")
            continue
        value = reader.value(hints[name], plain, name)
        if value is not _NOT_THERE:
            values[name] = value
    return values, tuple(reader.problems)


def _plain(value: Any, name_of: Callable[[Path], str]) -> Any:
    if isinstance(value, Path):
        return name_of(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain_field(one, getattr(value, one.name), name_of) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(one, name_of) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one, name_of) for one in value]
    value = value.item() if hasattr(value, "item") else value  # numpy's numbers, in columns of a user's table
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)


def _plain_field(field: dataclasses.Field[Any], value: Any, name_of: Callable[[Path], str]) -> Any:
    is_file = field.metadata.get("is_file") and value and Path(value).is_absolute()
    return name_of(Path(value)) if is_file else _plain(value, name_of)


class _Reader:
    """Makes values of plain data, by their types; what does not fit is left out and told.

    Parameters
    ----------
    path_of : callable
        Returns the file of a name.
    """

    def __init__(self, path_of: Callable[[str], Path]) -> None:
        self.problems: list[str] = []
        self._path_of = path_of

    def value(self, hint: Any, plain: Any, where: str) -> Any:
        """Return a value, without the parts of it that make no sense; `_NOT_THERE` if nothing is left."""
        try:
            origin, parts = get_origin(hint), get_args(hint)
            if origin is tuple and parts[-1] is Ellipsis:
                found = [self.value(parts[0], one, f"{where}[{n}]") for n, one in enumerate(_list(plain))]
                return tuple(one for one in found if one is not _NOT_THERE)
            if origin is Mapping:
                items = ((key, self.value(parts[1], one, f"{where}.{key}")) for key, one in _dict(plain).items())
                return {key: one for key, one in items if one is not _NOT_THERE}
            return self._whole(hint, plain, where)
        except (KmosError, TypeError, ValueError, OverflowError) as err:
            self.problems.append(f"{_told(where)}: {_told(str(err), 2 * _LONGEST_TOLD)}")
            return _NOT_THERE

    def _whole(self, hint: Any, plain: Any, where: str) -> Any:
        """Return a value all of which makes sense.

        Raises
        ------
        TypeError, ValueError, KmosError
            If a part of it does not.
        """
        origin, parts = get_origin(hint), get_args(hint)
        if origin in (Union, types.UnionType):
            return (
                None
                if plain is None
                else self._whole(next(one for one in parts if one is not type(None)), plain, where)
            )
        if origin is tuple:
            given = _list(plain)
            kinds = len(given) * [parts[0]] if parts[-1] is Ellipsis else list(parts)
            return tuple(self._whole(kind, one, where) for kind, one in zip(kinds, given, strict=True))
        if origin is Mapping:
            return {key: self._whole(parts[1], one, where) for key, one in _dict(plain).items()}
        if origin is Literal:
            return _checked(plain, plain in parts, " or ".join(map(str, parts)))
        if dataclasses.is_dataclass(hint):
            return self._made(hint, _dict(plain), where)
        return self._path(plain) if hint is Path else _simple(hint, plain)

    def _made(self, kind: Any, plain: Mapping[str, Any], where: str) -> Any:
        """Return an object of a dataclass; what it does not know is left out and told."""
        fields, hints = {one.name: one for one in dataclasses.fields(kind)}, _hints(kind)
        self.problems += [f"{_told(where)}: {_told(name)} is not known" for name in plain if name not in fields]
        values = {}
        for name in fields.keys() & plain.keys():
            value = plain[name]
            if fields[name].metadata.get("is_file") and value:
                values[name] = str(self._path(value))
            elif get_origin(hints[name]) is tuple and dataclasses.is_dataclass(get_args(hints[name])[0]):
                values[name] = self.value(hints[name], value, f"{where}.{name}")  # row by row
            else:
                values[name] = self._whole(hints[name], value, f"{where}.{name}")
        return kind(**values)

    def _path(self, plain: Any) -> Path:
        is_name = isinstance(plain, str) and bool(plain) and plain.isprintable()
        return self._path_of(_checked(plain, is_name, "the name of a file"))


def _simple(hint: Any, plain: Any) -> Any:
    """Return a number, a truth or a text."""
    if hint is Any:
        return _checked(plain, plain is None or isinstance(plain, bool | int | float | str), "a number or a text")
    if hint is float:
        number = _ODD_NUMBERS.get(plain, plain) if isinstance(plain, str) else plain
        return float(_checked(number, isinstance(number, int | float) and not isinstance(number, bool), "a number"))
    is_right = isinstance(plain, hint) and (hint is bool or not isinstance(plain, bool))
    return _checked(plain, is_right, {int: "a whole number", bool: "true or false"}.get(hint, "a text"))


def _checked(plain: Any, is_right: bool, expected: str) -> Any:
    if not is_right:
        msg = f"is {_told(repr(plain))}, expected {expected}"
        raise ValueError(msg)
    return plain


def _list(plain: Any) -> list[Any]:
    return list(_checked(plain, isinstance(plain, list), "a list"))


def _dict(plain: Any) -> dict[str, Any]:
    return dict(_checked(plain, isinstance(plain, dict), "an object with names"))


def _told(text: str, longest: int = _LONGEST_TOLD) -> str:
    """Return text of a file as it may be shown: in one line, and not too long."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return shown if len(shown) <= longest else f"{shown[:longest]}…"


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    """Return the types of the fields of a dataclass."""
    known = {one.__name__: one for one in _TYPES}
    return get_type_hints(kind, localns={**known, "Window": Window, "Mapping": Mapping})
