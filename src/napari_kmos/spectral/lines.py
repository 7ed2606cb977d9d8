"""Wavelengths: air and vacuum, and hydrogen from first principles."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.spectrum import SpectralLine

#: Rydberg constant in 1/cm for infinite mass (CODATA 2018), and electron masses per proton and alpha particle.
_RYDBERG_PER_CM = 109737.31568
_ELECTRON_PER_NUCLEUS = {1: 5.44617e-4, 2: 1.37093e-4}
_ITERATIONS = 5
#: Speed of light.
LIGHT_KMS = 299792.458


def vacuum_to_air(wavelength: u.Quantity) -> u.Quantity:
    """Convert vacuum wavelengths to those in standard air, in the same unit.

    Notes
    -----
    Refractive index of Ciddor (1996, Applied Optics 35, 1566): 15 C, 101325 Pa, dry, 450 ppm of CO2.

    Examples
    --------
    >>> from astropy import units as u
    >>> vacuum_to_air(2.166120 * u.um).round(6)
    <Quantity 2.165529 um>
    """
    return wavelength / _refractive_index(wavelength.to_value(u.um))


def air_to_vacuum(wavelength: u.Quantity) -> u.Quantity:
    """Convert wavelengths in standard air to those in vacuum, in the same unit; the inverse of `vacuum_to_air`."""
    vacuum = wavelength
    for _ in range(_ITERATIONS):
        vacuum = wavelength * _refractive_index(vacuum.to_value(u.um))
    return vacuum


def vacuum_um(wavelength: u.Quantity, medium: str) -> NDArray[np.float64]:
    """Return wavelengths in micron and vacuum of those in ``"vacuum"`` or ``"air"``."""
    return np.asarray((air_to_vacuum(wavelength) if medium == "air" else wavelength).to_value(u.um), dtype=float)


def rydberg_wavelength(upper: int, lower: int, *, charge: int = 1) -> u.Quantity:
    """Return the vacuum wavelength of a transition of H I (charge 1) or He II (charge 2).

    Reduced mass, no fine structure: too long by 4 parts in a million for Br gamma.

    Examples
    --------
    >>> rydberg_wavelength(7, 4).round(5)
    <Quantity 2.16613 um>
    """
    per_cm = _RYDBERG_PER_CM / (1 + _ELECTRON_PER_NUCLEUS[charge]) * charge**2
    return (1e4 / (per_cm * (1 / lower**2 - 1 / upper**2))) * u.um


def lines_between(
    lines: Iterable[SpectralLine], start: u.Quantity, end: u.Quantity, *, marked: bool = False
) -> tuple[SpectralLine, ...]:
    """Return the lines from one wavelength to another, ascending; with ``marked`` those marked in plots only."""
    first, last = start.to_value(u.um), end.to_value(u.um)
    chosen = [line for line in lines if first <= line.wavelength_um <= last and (line.marked or not marked)]
    return tuple(sorted(chosen, key=lambda line: line.wavelength_um))


def moved_lines(lines: Iterable[SpectralLine], velocity_kms: float) -> tuple[SpectralLine, ...]:
    """Return lines as they are seen of a source that recedes with a velocity."""
    factor = 1 + velocity_kms / LIGHT_KMS
    return tuple(dataclasses.replace(line, wavelength_um=line.wavelength_um * factor) for line in lines)


def _refractive_index(vacuum_um: np.ndarray | float) -> np.ndarray | float:
    """Refractive index of standard air at a vacuum wavelength."""
    squared = 1 / np.square(vacuum_um)
    return 1 + 0.05792105 / (238.0185 - squared) + 0.00167917 / (57.362 - squared)
