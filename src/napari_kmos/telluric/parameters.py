"""How a standard star is made use of, and how its absorption is brought to that of a target."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_kmos.errors import KmosError

#: By default, where one window ends and the next begins, in micron: between the bands of molecules.
EDGES = {"IZ": (0.89,), "YJ": (1.18, 1.30), "H": (1.56, 1.73), "K": (2.060, 2.379), "HK": (1.73, 2.060)}
_MOST_WINDOWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardParameters:
    """How the standard star is divided by its own model.

    Parameters
    ----------
    temperature_k : float
        Of the black body that its continuum is like; not used with a template.
    hydrogen : bool
        Fit its lines of hydrogen by Voigt profiles and remove them, where the atmosphere is clear.
    half_width_um : float
        So far to both sides of a line it is fitted.
    hidden : float
        Lines that the atmosphere hides are removed with the shape of the nearest clear one, times this.
    order : int
        Degree of the polynomial that is the instrument's response: the smooth part of what the star shows.

    Raises
    ------
    KmosError
        If a value makes no sense.
    """

    temperature_k: float = 9500.0
    hydrogen: bool = True
    half_width_um: float = 0.02
    hidden: float = 0.8
    order: int = 3

    def __post_init__(self) -> None:
        _check(self, "temperature_k", 1000 <= self.temperature_k <= 1e5, "1000 to 100000 K")
        _check(self, "half_width_um", 0 < self.half_width_um < 0.1, "below 0.1 micron")
        _check(self, "hidden", 0 <= self.hidden <= 2, "0 to 2")
        _check(self, "order", 0 <= self.order <= 8, "0 to 8")


@dataclass(frozen=True, slots=True, kw_only=True)
class TelluricParameters:
    """How the absorption of the standard is scaled to that of the target.

    Parameters
    ----------
    edges : tuple of float, optional
        Wavelengths in micron where one window ends and the next begins, none to two; those of the band by default.
    one_window : bool
        Scale the whole band alike, whatever the edges.
    fit : bool
        Fit airmass and water to the target; else both go with the airmasses of the headers.
    min_transmission : float
        Where less of the light comes through there is no data in the product.
    airmass_error : float
        By which part the ratio of airmasses may differ from that of the headers, 1 sigma.
    water_error : float
        By which part the ratio of water may, 1 sigma.
    window_error : float
        By which part either may differ from window to window, 1 sigma.
    max_shift_pix : float
        Standard and target may be shifted by so many planes.
    continuum_um : float
        The target's continuum is a polynomial that bends about once in so many micron.
    clip : float
        Planes further off than so many sigma, as lines of the target, have no part.
    min_snr : float
        A target with less signal over noise in a plane (median of a window) is not fitted.

    Raises
    ------
    KmosError
        If a value makes no sense.
    """

    edges: tuple[float, ...] | None = None
    one_window: bool = False
    fit: bool = True
    min_transmission: float = 0.2
    airmass_error: float = 0.1
    water_error: float = 1.0
    window_error: float = 0.1
    max_shift_pix: float = 2.0
    continuum_um: float = 0.05
    clip: float = 5.0
    min_snr: float = 10.0

    def __post_init__(self) -> None:
        edges = self.edges or ()
        upwards = all(low < high for low, high in zip((0.0, *edges), (*edges, math.inf), strict=True))
        _check(self, "edges", upwards and len(edges) < _MOST_WINDOWS, "two wavelengths at most, ascending, in micron")
        _check(self, "min_transmission", 0 < self.min_transmission < 1, "between 0 and 1")
        for name in (
            "airmass_error",
            "water_error",
            "window_error",
            "max_shift_pix",
            "continuum_um",
            "clip",
            "min_snr",
        ):
            _check(self, name, 0 < getattr(self, name) < math.inf, "a positive number")


def _check(parameters: StandardParameters | TelluricParameters, name: str, is_fine: bool, expected: str) -> None:
    """Refuse a value that cannot be meant."""
    if not is_fine:
        msg = f"{name} is {getattr(parameters, name)}; expected {expected}"
        raise KmosError(msg)
