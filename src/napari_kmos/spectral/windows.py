"""Wavelength windows: pairs of micron, the smaller first, and how people write them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import KmosError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Window = tuple[float, float]

_NUMBER = r"\s*\d*\.?\d+\s*"
_WINDOWS = re.compile(rf"^{_NUMBER}-{_NUMBER}(,{_NUMBER}-{_NUMBER})*$")


def are_windows(text: str) -> bool:
    """Tell whether a text is written as windows are.

    Examples
    --------
    >>> are_windows("2.10-2.15,2.20-2.28"), are_windows("windows.txt")
    (True, False)
    """
    return _WINDOWS.match(text) is not None


def parse_windows(text: str) -> tuple[Window, ...]:
    """Return the windows that a text such as ``"2.10-2.15,2.20-2.28"`` means.

    Raises
    ------
    KmosError
        If it is written in another way, or a window does not go upwards.
    """
    if not are_windows(text):
        msg = f"window {text!r} is not understood; expected micron, as in 2.10-2.15"
        raise KmosError(msg)
    return check_windows((float(start), float(end)) for start, end in (part.split("-") for part in text.split(",")))


def parse_window(text: str) -> Window:
    """Return the one window that a text such as ``"2.10-2.15"`` means.

    Raises
    ------
    KmosError
        As `parse_windows`, and if there is more than one.
    """
    window, *more = parse_windows(text)
    if more:
        msg = f"{text!r} holds {1 + len(more)} windows; expected one, as in 2.10-2.15"
        raise KmosError(msg)
    return window


def windows_text(windows: Iterable[Window]) -> str:
    """Write windows as `parse_windows` reads them."""
    return ",".join(f"{start:.8g}-{end:.8g}" for start, end in windows)


def check_windows(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Return the windows if each goes upwards.

    Raises
    ------
    KmosError
        If one does not.
    """
    checked = tuple(windows)
    for start, end in checked:
        if not 0 < start < end < math.inf:
            msg = f"window {start:g}-{end:g} does not go upwards; expected micron, as in 2.10-2.15"
            raise KmosError(msg)
    return checked


def in_windows(wavelength_um: NDArray[np.float64], windows: Iterable[Window]) -> NDArray[np.bool_]:
    """Tell which wavelengths lie in any of the windows, ends included; shape of the wavelengths."""
    ends = np.array([window for window in windows if window[0] <= window[1]], dtype=float).reshape(-1, 2)
    begun = np.searchsorted(np.sort(ends[:, 0]), wavelength_um, side="right")
    return np.asarray(begun > np.searchsorted(np.sort(ends[:, 1]), wavelength_um, side="left"))
