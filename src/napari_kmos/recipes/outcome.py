"""What a step gives back: the files it wrote and the numbers it measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Files and numbers of one step.

    Parameters
    ----------
    products : tuple of Path
        Main products first: cubes, offsets, spectra.
    extras : tuple of Path
        Records, plots, diagnostics.
    measured : mapping
        What the step measured, by name: numbers, texts, lists and mappings of them; NaN is unknown.
    """

    products: tuple[Path, ...] = ()
    extras: tuple[Path, ...] = ()
    measured: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def join_outcomes(outcomes: Iterable[Outcome]) -> Outcome:
    """Return one outcome of the parts of a step; what they measured has different names."""
    parts = tuple(outcomes)
    return Outcome(
        products=tuple(path for part in parts for path in part.products),
        extras=tuple(path for part in parts for path in part.extras),
        measured={name: value for part in parts for name, value in part.measured.items()},
    )
