"""Arguments of a recipe from its record: plain values become paths, tuples and parameter objects, strictly."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from napari_kmos.aperture import Aperture
from napari_kmos.catalogue import Catalogue
from napari_kmos.errors import KmosError
from napari_kmos.io import read_catalogue
from napari_kmos.offset import Offset
from napari_kmos.spectrum import SpectralLine

#: What a person decides, which recipes name for type checkers alone.
_DECISIONS: Mapping[str, type] = {each.__name__: each for each in (Aperture, Offset, SpectralLine)}
#: What is no more than the content of a file is read again.
_READ: Mapping[type, Callable[..., Any]] = {Catalogue: read_catalogue}


def arguments_from(plain: Mapping[str, Any], recipe: Callable[..., Any], files: Mapping[str, Path]) -> dict[str, Any]:
    """Return the arguments of a recipe from what `napari_kmos.calls.plain_arguments` made of them.

    The annotations of the recipe decide what may be made: nothing but its own parameter classes, and paths of files
    that the record names.

    Parameters
    ----------
    plain : mapping
        As in the record; nothing is taken for granted.
    recipe : callable
        The recipe.
    files : mapping of str to Path
        Where the files now are, by the path they had.

    Raises
    ------
    KmosError
        If an argument is not known, or a value is not of the kind it takes.
    """
    hints = _hints_of(recipe)
    known = inspect.signature(recipe).parameters
    for name in plain:
        if name not in known:
            msg = f"cannot be made again: parameter {str(name)[:40]!r} is not known to this version"
            raise KmosError(msg)
    return {name: _Maker(files, name).make(value, hints[name]) for name, value in plain.items()}


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes values of one argument."""

    files: Mapping[str, Path]
    name: str

    def make(self, value: Any, hint: Any) -> Any:
        """Return a value of the kind that the annotation tells."""
        if isinstance(value, list):
            return tuple(self.make(one, hint) for one in value)
        if not isinstance(value, Mapping):
            return self._scalar(value, hint)
        keys = set(value)
        if keys == {"path"} and any(kind is Path for kind in _kinds(hint)):
            return self._file(value["path"])
        if keys == {"mapping"} and isinstance(value["mapping"], Mapping):
            return {str(key): self.make(one, hint) for key, one in value["mapping"].items()}
        if keys == {"number"} and value["number"] in ("nan", "inf", "-inf"):
            return float(value["number"])
        if keys == {"type", "fields"} and isinstance(value["fields"], Mapping):
            return self._object(value["type"], value["fields"], hint)
        raise self._refused(value)

    def _file(self, path: Any) -> Path:
        if isinstance(path, str) and path in self.files:
            return self.files[path]
        msg = f"cannot be made again: {self.name} is {str(path)[:200]!r}, a file that the record tells nothing of"
        raise KmosError(msg)

    def _object(self, name: Any, fields: Mapping[str, Any], hint: Any) -> Any:
        """Build a parameter object of a class that the annotation names."""
        classes = [each for each in _kinds(hint) if isinstance(each, type) and dataclasses.is_dataclass(each)]
        classes = [each for each in classes if each.__name__ == name]
        if not classes:
            raise self._refused(name)
        hints = _hints_of(classes[0])
        known = {field.name for field in dataclasses.fields(classes[0]) if field.init}
        for each in fields:
            if each not in known:
                msg = f"cannot be made again: parameter {str(each)[:40]!r} of {name} is not known to this version"
                raise KmosError(msg)
        values = {each: _Maker(self.files, each).make(one, hints[each]) for each, one in fields.items()}
        try:
            return _READ.get(classes[0], classes[0])(**values)
        except (TypeError, ValueError) as err:
            msg = f"cannot be made again: {name}: {err}"
            raise KmosError(msg) from err

    def _scalar(self, value: Any, hint: Any) -> Any:
        """Return a number, text or nothing, if the annotation has a place for it."""
        kinds = set(_kinds(hint))
        fits = value in [one for kind in kinds if get_origin(kind) is Literal for one in get_args(kind)]
        fits = fits or type(value) in kinds or Any in kinds or (type(value) is int and float in kinds)
        if not fits or (isinstance(value, float) and not math.isfinite(value)):
            raise self._refused(value)
        return value

    def _refused(self, value: Any) -> KmosError:
        return KmosError(f"cannot be made again: {self.name} is {str(value)[:40]!r}, which it cannot be")


class _Unmakable:
    """What a name stands for that only type checkers know."""

    def __class_getitem__(cls, _: Any) -> type[_Unmakable]:
        return cls


def _kinds(hint: Any) -> Iterator[Any]:
    """Yield every type that an annotation names, within unions and sequences too."""
    yield hint
    if get_origin(hint) is not Literal:
        for part in get_args(hint):
            yield from _kinds(part)


def _hints_of(of: Any) -> dict[str, Any]:
    """Return the annotations; a name that is there for type checkers alone stands for nothing that can be made."""
    absent: dict[str, Any] = {}
    while True:
        try:
            return get_type_hints(of, localns=absent)
        except NameError as err:
            if err.name is None or err.name in absent:
                raise
            absent[err.name] = _DECISIONS.get(err.name, _Unmakable)
