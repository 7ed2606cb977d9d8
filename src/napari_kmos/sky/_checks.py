"""What numbers of a parameter class are refused, whatever they mean."""

from __future__ import annotations

import dataclasses
from typing import Any

from napari_kmos.errors import SkyError

#: Beyond this a number says the same as infinity, and squares and sizes of arrays overflow.
_LARGEST = 1e6


def check_finite(parameters: Any) -> None:
    """Refuse what is no number, or so large that nothing can be computed with it."""
    for name, value in dataclasses.asdict(parameters).items():
        if isinstance(value, float) and not abs(value) < _LARGEST:
            msg = f"{name} is {value}; expected a number below {_LARGEST:.0f}"
            raise SkyError(msg)


def check_positive(parameters: Any, *names: str) -> None:
    """Refuse numbers that are not more than 0."""
    for name in names:
        if not getattr(parameters, name) > 0:
            msg = f"{name} is {getattr(parameters, name)}; expected more than 0"
            raise SkyError(msg)


def check_least(parameters: Any, least: int, *names: str) -> None:
    """Refuse numbers below the least."""
    for name in names:
        if not getattr(parameters, name) >= least:
            msg = f"{name} is {getattr(parameters, name)}; expected {least} or more"
            raise SkyError(msg)
