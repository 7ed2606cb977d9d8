"""What was done to which file with which parameters: the record every product carries."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import platform
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from napari_kmos._version import __version__

#: Those whose versions decide what numbers come out.
_PACKAGES = ("numpy", "scipy", "astropy", "dask", "specutils", "photutils", "numba")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a product's history: a `HISTORY` line and an ``ESO PRO RECk`` block.

    Parameters
    ----------
    name : str
        The command, e.g. ``"sky-tweak"``.
    inputs : tuple of Path
        Files the step read; they are named in the header and, with a checksum, in the record.
    parameters : mapping
        Name to value, as used.
    defaults : mapping
        Name to default value; a subset of the parameters.
    measured : mapping
        Scalars the step found, written as ``ESO QC`` keywords.
    """

    name: str
    inputs: tuple[Path, ...] = ()
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    measured: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@functools.cache
def package_versions() -> Mapping[str, str]:
    """Return the versions of Python, this package and those it computes with; what is not installed is left out."""
    versions = {"python": platform.python_version(), "napari-kmos": __version__}
    for name in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return MappingProxyType(versions)


def parameters_of(parameters: Any) -> dict[str, Any]:
    """Return the fields of a frozen parameter dataclass as a plain mapping."""
    return dataclasses.asdict(parameters)


def defaults_of(parameters: Any) -> dict[str, Any]:
    """Return the defaults of a parameter dataclass, for the fields that have one."""
    return {
        field.name: field.default
        for field in dataclasses.fields(parameters)
        if field.default is not dataclasses.MISSING
    }


def descriptions_of(parameters: type[Any]) -> dict[str, str]:
    """Return what each field of a parameter dataclass means: ``help`` of its metadata, else its numpydoc entry."""
    texts: dict[str, str] = {}
    for each in reversed(parameters.__mro__):
        texts |= _numpydoc_parameters(each.__doc__ or "")
    for field in dataclasses.fields(parameters):
        texts[field.name] = field.metadata.get("help", texts.get(field.name, ""))
    return texts


def groups_of(parameters: type[Any]) -> dict[str, tuple[str, ...]]:
    """Return the fields of a parameter dataclass by the class that defines them, its own first.

    Returns
    -------
    dict
        First line of the docstring of each class, without its full stop, to the names of the fields.
    """
    groups = {}
    for each in parameters.__mro__:
        own = inspect.get_annotations(each)
        names = tuple(field.name for field in dataclasses.fields(parameters) if field.name in own)
        if names:
            groups[(each.__doc__ or "").strip().splitlines()[0].removesuffix(".")] = names
    return groups


def _numpydoc_parameters(docstring: str) -> dict[str, str]:
    """Return the text of each entry of a docstring's Parameters section."""
    section = re.search(r"Parameters\n\s*-+\n(.*?)(?:\n\s*\n\s*\w[^\n]*\n\s*-{3,}|\Z)", docstring, re.DOTALL)
    texts: dict[str, str] = {}
    names: list[str] = []
    margin: int | None = None
    for line in section[1].splitlines() if section else ():
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        margin = depth if margin is None else margin
        if depth == margin:
            names = [name.strip() for name in line.split(" : ")[0].split(",")]
        else:
            texts.update({name: f"{texts.get(name, '')} {line.strip()}".strip() for name in names})
    return texts
