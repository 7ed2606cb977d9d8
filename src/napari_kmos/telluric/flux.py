"""From counts to flux: a response and a zero point."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u

from napari_kmos.errors import GeometryError, KmosError
from napari_kmos.instrument import MAGNITUDES, Magnitude, likeliest_band

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.curve import Curve

    Floats = NDArray[np.float64]

FLUX_UNIT = u.erg / u.s / u.cm**2 / u.AA
#: Units of what can be calibrated; an unknown one is taken for these.
_COUNTS = (u.adu / u.s, u.electron / u.s, u.ct / u.s)
_LEAST_RESPONSE = 0.01


def magnitude_of(wavelength_um: Floats) -> Magnitude:
    """Return the magnitude of 2MASS that lies in the band of these wavelengths.

    Raises
    ------
    KmosError
        If there is none, as in IZ, or the wavelengths do not reach over its range.
    """
    first, last = float(wavelength_um[0]), float(wavelength_um[-1])
    band = likeliest_band(first, last).name
    found = MAGNITUDES.get(band)
    if found is None or not first < found.start_um < found.end_um < last:
        msg = (
            f"{first:.4f}-{last:.4f} um (band {band}): no magnitude of 2MASS lies in it; flux calibration needs one of "
            f"{', '.join(MAGNITUDES)}, of which the middle is there"
        )
        raise KmosError(msg)
    return found


def band_mean(wavelength_um: Floats, flux: Floats, magnitude: Magnitude) -> float:
    """Return the mean over the range of a magnitude; NaN where less than half of it has data."""
    inside = (wavelength_um >= magnitude.start_um) & (wavelength_um <= magnitude.end_um)
    known = inside & np.isfinite(flux)
    if not known.any() or known.sum() < 0.5 * inside.sum():
        return math.nan
    # what is missing lies between what is there
    return float(np.mean(np.interp(wavelength_um[inside], wavelength_um[known], flux[known])))


def zero_point_of(rate: float, magnitude: float) -> float:
    """Return the magnitude of a star that gives 1 per second, if one of a magnitude gives this rate."""
    if not rate > 0:
        msg = f"the standard gives {rate:.3g} per second on average; expected a positive number"
        raise KmosError(msg)
    return magnitude + 2.5 * math.log10(rate)


def flux_factor(wavelength_um: Floats, response: Curve, *, zero_point: float) -> Floats:
    """Return what counts per second are multiplied by to be flux in erg s-1 cm-2 Angstrom-1.

    Parameters
    ----------
    wavelength_um : ndarray, shape (n_wavelength,)
        Of cube or spectrum.
    response : Curve
        On any planes; only its shape counts, scaled to a mean of 1 over the range of the band's magnitude.
    zero_point : float
        Magnitude of a star that gives 1 per second, on average over that range.

    Returns
    -------
    ndarray, shape (n_wavelength,)
        NaN where the response is less than a hundredth of its mean, or not known.

    Raises
    ------
    GeometryError
        If the response is of another grating.
    KmosError
        If it or the zero point is none.
    """
    own = response.wavelength_um
    bands = [likeliest_band(float(wave[0]), float(wave[-1])).name for wave in (wavelength_um, own)]
    if bands[0] != bands[1]:
        msg = (
            f"{response.name}: a response of {bands[1]} ({own[0]:.4f}-{own[-1]:.4f} um) for data of {bands[0]} "
            f"({wavelength_um[0]:.4f}-{wavelength_um[-1]:.4f} um); choose the response of that grating"
        )
        raise GeometryError(msg)
    if not math.isfinite(zero_point):
        msg = f"{response.name}: no zero point in it; give one (--zero-point), or a file that has one (--telluric)"
        raise KmosError(msg)
    magnitude = magnitude_of(wavelength_um)
    known = np.isfinite(response.flux)
    level = band_mean(own, response.flux, magnitude)
    if not level > 0:
        msg = f"{response.name}: its mean is {level:.3g}; expected a response above zero"
        raise KmosError(msg)
    shape = np.interp(wavelength_um, own[known], response.flux[known] / level, left=np.nan, right=np.nan)
    shape[shape < _LEAST_RESPONSE] = np.nan
    return np.asarray(magnitude.flux * 10 ** (-0.4 * zero_point) / shape)


def check_counts(unit: u.UnitBase | None, label: str) -> None:
    """Refuse a unit that is not counts per second; an unknown one passes.

    Raises
    ------
    KmosError
        If it is another one, as of what is calibrated already.
    """
    if unit is None or any(unit.is_equivalent(one) for one in _COUNTS):
        return
    msg = f"{label}: its unit is {unit}; expected counts per second (ADU/s): it may be calibrated already"
    raise KmosError(msg)


def measure_magnitude(wavelength_um: Floats, flux: Floats) -> tuple[str, float]:
    """Return name and value of the magnitude of a star whose flux is in erg s-1 cm-2 Angstrom-1; NaN without signal."""
    magnitude = magnitude_of(wavelength_um)
    level = band_mean(wavelength_um, flux, magnitude)
    return magnitude.name, -2.5 * math.log10(level / magnitude.flux) if level > 0 else math.nan
