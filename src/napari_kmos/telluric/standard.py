"""What a standard star tells of atmosphere and instrument: its spectrum over its own model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from numpy.polynomial import Chebyshev
from scipy.special import voigt_profile

from napari_kmos.errors import KmosError
from napari_kmos.instrument import MAGNITUDES, likeliest_band
from napari_kmos.spectral.lines import rydberg_wavelength
from napari_kmos.spectral.observed import as_observed
from napari_kmos.spectral.profiles import fit_profiles
from napari_kmos.spectral.sky_ranges import TELLURIC_RANGES
from napari_kmos.spectral.thermal import planck_shape
from napari_kmos.spectral.windows import in_windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.curve import Curve
    from napari_kmos.spectrum import Template
    from napari_kmos.telluric.parameters import StandardParameters

    Floats = NDArray[np.float64]

_PASCHEN, _BRACKETT, _HIGHEST = 3, 4, 20
#: Least signal over noise of a plane, fewest planes with data, and the part of them that may have one and the same
#: largest value.
_MIN_SNR, _MIN_PLANES, _MOST_EQUAL = 10.0, 100, 0.01
_MIN_SIGNIFICANCE = 5.0
#: A line of the star lies no further from its place than this part of the wavelength; planes so far below a fit, in
#: units of the scatter, have no part in the next of so many.
_MOST_MOVED, _BELOW_LINE, _LINE_ROUNDS = 1e-3, 2.0, 5
#: Fewest planes of a line, and the least light it leaves.
_FEWEST, _LEAST_LIGHT = 20, 0.05
_ROUNDS = 8
#: Of a plane in a band of absorption, how far below the response it may lie in units of the scatter to be part of it.
_BELOW = 1.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Throughput:
    """What comes through atmosphere and instrument.

    Parameters
    ----------
    name : str
        Where it comes from.
    wavelength_um : ndarray, shape (n_wavelength,)
        Plane centres.
    response : ndarray, same shape
        The smooth part: the standard, in its unit, over its model, whose mean over the range of the band's magnitude
        is 1.
    transmission : ndarray, same shape
        The rest: what the atmosphere lets through, about 1 where it is clear. NaN without data.
    noise : ndarray, same shape
        1 sigma of the transmission; 0 where the standard came without noise.
    airmass : float
        Of the standard.
    lines_um : tuple of float
        Lines of hydrogen that were removed.
    """

    name: str
    wavelength_um: Floats
    response: Floats
    transmission: Floats
    noise: Floats
    airmass: float
    lines_um: tuple[float, ...] = ()


def measure_throughput(
    curve: Curve, *, airmass: float, parameters: StandardParameters, template: Template | None = None
) -> Throughput:
    """Divide a standard star by its own model, and tell atmosphere and instrument apart.

    Parameters
    ----------
    curve : Curve
        Its spectrum, shape (n_wavelength,); NaN is no data.
    airmass : float
        At which it was observed.
    parameters : StandardParameters
        How.
    template : Template, optional
        Its model, at any resolution; a black body without.

    Returns
    -------
    Throughput
        On the planes of the spectrum.

    Raises
    ------
    KmosError
        If the star has no signal, is saturated, or the airmass is none.
    """
    if not 1 <= airmass < 10:
        msg = f"{curve.name}: the airmass of the standard is {airmass:g}; expected 1 to 10 (--standard-airmass)"
        raise KmosError(msg)
    _check_signal(curve)
    wave = curve.wavelength_um
    model = _model(wave, parameters, template)
    ratio = curve.flux / model
    relative = np.nan_to_num(curve.noise / curve.flux) if curve.noise is not None else np.zeros(wave.size)
    lines, profile = _hydrogen(wave, ratio, parameters) if parameters.hydrogen else ((), np.ones(wave.size))
    ratio = ratio / profile
    response = _response(wave, ratio, parameters.order)
    if not np.all(response > 0):
        msg = f"{curve.name}: its response falls to zero; expected a standard star's spectrum, or take a lower --order"
        raise KmosError(msg)
    through = ratio / response
    return Throughput(
        name=curve.name,
        wavelength_um=wave,
        response=response,
        transmission=through,
        noise=np.abs(through * relative),
        airmass=airmass,
        lines_um=lines,
    )


def _check_signal(curve: Curve) -> None:
    """Refuse a star without signal, or with too much of it."""
    known = curve.flux[np.isfinite(curve.flux)]
    if known.size < _MIN_PLANES:
        msg = f"{curve.name}: {known.size} planes with data; expected a standard star's spectrum of a whole band"
        raise KmosError(msg)
    scatter = 1.4826 * float(np.median(np.abs(np.diff(known)))) / math.sqrt(2)
    if not float(np.median(known)) > _MIN_SNR * scatter:
        msg = (
            f"{curve.name}: median {np.median(known):.3g} with a scatter of {scatter:.3g} from plane to plane; "
            f"expected a standard with a signal over noise of {_MIN_SNR:g} or more: choose another star or IFU"
        )
        raise KmosError(msg)
    equal = np.count_nonzero(known == known.max()) / known.size
    if equal > _MOST_EQUAL:
        msg = f"{curve.name}: {equal:.0%} of the planes have one and the same largest value: it is saturated; choose "
        raise KmosError(msg + "another standard")


def _model(wave: Floats, parameters: StandardParameters, template: Template | None) -> Floats:
    """Return the star outside the atmosphere, its mean 1 over the range of the band's magnitude, where there is one."""
    if template is None:
        shape = planck_shape(wave, parameters.temperature_k)
    else:
        near = (template.wavelength_um[0] <= wave[0]) and (template.wavelength_um[-1] >= wave[-1])
        if not near:
            first, last = template.wavelength_um[[0, -1]]
            msg = (
                f"template {template.name}: {first:.4f}-{last:.4f} um, the standard {wave[0]:.4f}-{wave[-1]:.4f} um; "
                "expected a template that reaches over all of it"
            )
            raise KmosError(msg)
        fwhm = float(np.median(wave)) / likeliest_band(wave[0], wave[-1]).resolution
        (seen,) = as_observed(template, wave, widths_um=[fwhm], reach_kms=0.0)
        shape = np.asarray(seen(wave))
    magnitude = MAGNITUDES.get(likeliest_band(float(wave[0]), float(wave[-1])).name)
    inside = (wave >= magnitude.start_um) & (wave <= magnitude.end_um) if magnitude else np.ones(wave.size, dtype=bool)
    return np.asarray(shape / np.mean(shape[inside] if inside.any() else shape))


def _hydrogen(wave: Floats, ratio: Floats, parameters: StandardParameters) -> tuple[tuple[float, ...], Floats]:
    """Return the lines that were removed, and the star's light over its continuum.

    A line that the atmosphere hides has the shape of the nearest clear one of its series.
    """
    found: list[float] = []
    profile = np.ones(wave.size)
    for lower in (_PASCHEN, _BRACKETT):
        fits = {}
        places = _series(lower, wave, parameters.half_width_um)
        for place in places:
            if not in_windows(np.array([place]), TELLURIC_RANGES)[0]:
                fits[place] = _line(wave, ratio, place, parameters.half_width_um)
        clear = {place: fit for place, fit in fits.items() if fit is not None}
        for place in places:
            if place in clear:
                profile *= _profile(wave, place, clear[place])
            elif clear and place not in fits:
                nearest = min(clear, key=lambda one: abs(one - place))
                profile *= _profile(wave, place, clear[nearest] * [parameters.hidden, 1, 1, 1])
            else:
                continue
            found.append(place)
    return tuple(sorted(found)), np.clip(profile, _LEAST_LIGHT, None)


def _series(lower: int, wave: Floats, reach: float) -> list[float]:
    """Return the places of a series whose lines begin within the band."""
    places = (float(rydberg_wavelength(upper, lower).to_value(u.um)) for upper in range(lower + 1, _HIGHEST))
    return [place for place in places if wave[0] < place < wave[-1] + reach / 2]


def _line(wave: Floats, ratio: Floats, place: float, reach: float) -> Floats | None:
    """Return equivalent width, displacement, sigma and gamma of a line; None if there is none."""
    used = (np.abs(wave - place) < reach) & np.isfinite(ratio)
    near = used
    for _ in range(_LINE_ROUNDS):
        if used.sum() < _FEWEST:
            return None
        points = (wave[used], ratio[used], None)
        try:
            fit = fit_profiles(points, np.array([place]), _MOST_MOVED * place, is_voigt=True)
        except (RuntimeError, ValueError):
            return None
        level, slope, flux, centre, sigma, gamma = fit.values
        away = wave - place
        left = ratio - level - slope * away - flux * voigt_profile(away - centre, sigma, gamma)
        scatter = 1.4826 * float(np.median(np.abs(left[used])))
        used = near & (left > -_BELOW_LINE * scatter)  # lines of the atmosphere only take light
    if flux > -_MIN_SIGNIFICANCE * math.sqrt(max(fit.covariance[2, 2], 0.0)):
        return None
    return np.array([flux / level, centre, sigma, gamma])


def _profile(wave: Floats, place: float, line: Floats) -> Floats:
    """Return the light that a line leaves."""
    width, centre, sigma, gamma = line
    return np.asarray(1 + width * voigt_profile(wave - place - centre, sigma, gamma))


def _response(wave: Floats, ratio: Floats, order: int) -> Floats:
    """Return the smooth part: a polynomial through clear planes, and in bands of absorption through the highest."""
    known = np.isfinite(ratio)
    absorbed = in_windows(wave, TELLURIC_RANGES)
    used = known & ~absorbed
    if used.sum() < _MIN_PLANES:
        used = known
    for _ in range(_ROUNDS):
        fit = Chebyshev.fit(wave[used], ratio[used], order, domain=(wave[0], wave[-1]))
        left = ratio / fit(wave) - 1
        scatter = 1.4826 * float(np.median(np.abs(left[used])))
        # absorption only takes light: what lies below is no response, what lies above is noise
        clear = known & ~absorbed & (left > -_BELOW * scatter) & (left < 3 * scatter)
        used = clear | (known & absorbed & (left > -_BELOW * scatter))
        if used.sum() < _MIN_PLANES:
            break
    return np.asarray(fit(wave))
