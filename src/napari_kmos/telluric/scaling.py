"""The absorption of a standard brought to that of a target: shifted, airmass and water scaled, window by window."""

from __future__ import annotations

import itertools
import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import GeometryError, KmosError, KmosWarning
from napari_kmos.instrument import likeliest_band
from napari_kmos.spectral.snr import der_snr
from napari_kmos.telluric._window_model import FEWEST, Scaler, WindowModel, coarse_shift
from napari_kmos.telluric.parameters import EDGES, TelluricParameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.telluric.standard import Throughput

    Floats = NDArray[np.float64]

#: Least part of the target's range that the standard must reach over.
_LEAST_COMMON = 0.95
#: Planes with less transmission than this tell how well a fit does.
_ABSORBED = 0.97
#: Of spectra that come without noise: no better than this part of their median.
_LEAST_NOISE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFit:
    """How the standard's absorption was scaled in a window.

    Parameters
    ----------
    start_um, end_um : float
        The window.
    airmass, water : float
        Powers of the transmission of what is well mixed, and of water.
    airmass_err, water_err : float
        1 sigma; NaN where it was not fitted.
    shift_pix : float
        By how many planes the target's absorption lies to the red of the standard's.
    rms_before, rms_after : float
        Of the target over its continuum, where the atmosphere absorbs: by the airmasses of the headers, and fitted.
    n_planes : int
        Planes fitted.
    note : str
        Why it was not fitted; empty if it was.
    """

    start_um: float
    end_um: float
    airmass: float
    water: float
    airmass_err: float = math.nan
    water_err: float = math.nan
    shift_pix: float = 0.0
    rms_before: float = math.nan
    rms_after: float = math.nan
    n_planes: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Correction:
    """The transmission by which a target is divided.

    Parameters
    ----------
    wavelength_um : ndarray, shape (n_wavelength,)
        Of the target.
    transmission : ndarray, same shape
        NaN where too little light comes through, or nothing is known.
    relative_noise : ndarray, same shape
        1 sigma of the transmission over it.
    windows : tuple of WindowFit
        Ascending.
    standard : str
        Where it comes from.
    """

    wavelength_um: Floats
    transmission: Floats
    relative_noise: Floats
    windows: tuple[WindowFit, ...]
    standard: str


def scale_throughput(
    throughput: Throughput,
    wavelength_um: Floats,
    flux: Floats,
    noise: Floats,
    *,
    airmass: float,
    parameters: TelluricParameters,
) -> Correction:
    """Bring the absorption of a standard to that of a target.

    Parameters
    ----------
    throughput : Throughput
        Of the standard.
    wavelength_um, flux, noise : ndarray, shape (n_wavelength,)
        The brightest spectrum there is of the target, or of stars in the same cube; NaN is no data. Where there is no
        noise in any plane it is the scatter from plane to plane.
    airmass : float
        Of the target.
    parameters : TelluricParameters
        How.

    Returns
    -------
    Correction
        On the target's planes.

    Raises
    ------
    KmosError
        If the airmass is none.
    GeometryError
        If the standard does not reach over the target's wavelengths, as one of another band.

    Notes
    -----
    In each window the target is a polynomial times the standard's transmission, of which the part of water has one
    power and the rest another. Powers and shift are fitted, first to the whole band, with the ratio of the airmasses as
    what is expected of both, then to each window, with those of the band; the polynomial is linear and solved for at
    each step (Golub & Pereyra 1973, SIAM J. Num. Anal. 10, 413). Planes that do not fit, as lines of the target, are
    left out in rounds.
    """
    if not 1 <= airmass < 10:
        msg = f"the airmass of the target is {airmass:g}; expected 1 to 10 (--airmass)"
        raise KmosError(msg)
    _check_range(throughput, wavelength_um)
    scaler = Scaler(throughput, wavelength_um)
    noise = _known_noise(flux, noise)
    expected = np.array([airmass / throughput.airmass] * 2 + [0.0])
    widths = np.array([parameters.airmass_error, parameters.water_error, parameters.max_shift_pix])
    target, parts = (wavelength_um, flux, noise), _parts(wavelength_um, parameters)
    if parameters.fit:
        expected[2] = coarse_shift(scaler, flux, parameters.max_shift_pix)
    by_headers = expected.copy()
    if parameters.fit and len(parts) > 1:
        whole = _fit(scaler, target, slice(None), (expected, widths, by_headers), parameters)
        expected = np.array([whole.airmass, whole.water, whole.shift_pix])
        widths[:2] = parameters.window_error
    through = np.full(wavelength_um.size, np.nan)
    windows = []
    for part in parts:
        fit = _fit(scaler, target, part, (expected, widths, by_headers), parameters)
        through[part] = scaler.transmission(np.array([fit.airmass, fit.water, fit.shift_pix]), part)
        windows.append(fit)
    through[~scaler.known | (through < parameters.min_transmission)] = np.nan
    power = np.concatenate([[max(one.airmass, one.water)] * _length(wavelength_um, one) for one in windows])
    return Correction(
        wavelength_um=wavelength_um,
        transmission=through,
        relative_noise=scaler.noise * power,
        windows=tuple(windows),
        standard=throughput.name,
    )


def _known_noise(flux: Floats, noise: Floats) -> Floats:
    """Return the noise; of a spectrum without any its scatter from plane to plane."""
    if np.any(noise > 0) or not np.isfinite(flux).any():
        return noise
    level = abs(float(np.nanmedian(flux)))
    return np.full(flux.size, level * max(1 / abs(der_snr(flux)), _LEAST_NOISE))


def _length(wave: Floats, fit: WindowFit) -> int:
    return int(np.count_nonzero((wave >= fit.start_um) & (wave <= fit.end_um)))


def _check_range(throughput: Throughput, wave: Floats) -> None:
    """Refuse a standard of another band."""
    own = throughput.wavelength_um
    common = min(own[-1], wave[-1]) - max(own[0], wave[0])
    if common < _LEAST_COMMON * (wave[-1] - wave[0]):
        msg = (
            f"the standard {throughput.name} reaches over {own[0]:.4f}-{own[-1]:.4f} um, the target over "
            f"{wave[0]:.4f}-{wave[-1]:.4f} um; expected a standard of the same band"
        )
        raise GeometryError(msg)


def _parts(wave: Floats, parameters: TelluricParameters) -> list[slice]:
    """Return the planes of the windows."""
    edges = parameters.edges
    if edges is None:
        edges = EDGES[likeliest_band(float(wave[0]), float(wave[-1])).name]
    inside = () if parameters.one_window else tuple(edge for edge in edges if wave[0] < edge < wave[-1])
    places = [0, *np.searchsorted(wave, inside).tolist(), wave.size]
    return [slice(first, last) for first, last in itertools.pairwise(places)]


def _fit(
    scaler: Scaler,
    target: tuple[Floats, Floats, Floats],
    part: slice,
    prior: tuple[Floats, Floats, Floats],
    parameters: TelluricParameters,
) -> WindowFit:
    """Fit airmass, water and shift in a window, given what is expected, its errors, and what the headers say."""
    expected, widths, by_headers = prior
    wave, flux, noise = (values[part] for values in target)
    plain = _scaled_by((float(wave[0]), float(wave[-1])), expected)
    if not parameters.fit:
        return replace(plain, note="not fitted, as asked for")
    start = scaler.transmission(expected, part)
    noise, used = _usable(scaler, part, flux, noise)
    used &= start >= parameters.min_transmission
    ratio = float(np.median(flux[used] / noise[used])) if used.any() else 0.0
    if used.sum() < FEWEST or ratio < parameters.min_snr:
        return replace(plain, note=f"not fitted: {used.sum()} planes, signal over noise {ratio:.1f}")
    model = WindowModel(scaler, part, (wave, flux, noise), (expected, widths), parameters)
    values, errors, used = model.solve(used)
    if model.is_at_end(values):
        _warn_of_end(wave, values)
    deep = used & (start < _ABSORBED)
    return replace(
        _scaled_by((plain.start_um, plain.end_um), values),
        airmass_err=float(errors[0]),
        water_err=float(errors[1]),
        rms_before=model.rms(by_headers, used, deep),
        rms_after=model.rms(values, used, deep),
        n_planes=int(used.sum()),
    )


def _scaled_by(span_um: tuple[float, float], values: Floats) -> WindowFit:
    """Return a window with powers and shift."""
    airmass, water, shift = (float(value) for value in values)
    return WindowFit(start_um=span_um[0], end_um=span_um[1], airmass=airmass, water=water, shift_pix=shift)


def _warn_of_end(wave: Floats, values: Floats) -> None:
    """Warn that a fit tells nothing."""
    text = (
        f"{wave[0]:.4f}-{wave[-1]:.4f} um: the fit ends where no more is looked for (airmass x{values[0]:.3g}, water "
        f"x{values[1]:.3g}); give a star that tells more (--reference), or leave the fit out (--no-fit)"
    )
    warnings.warn(text, KmosWarning, stacklevel=2)


def _usable(scaler: Scaler, part: slice, flux: Floats, noise: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the noise of target and standard together, infinite where there is none, and where both are known."""
    both = np.hypot(noise, np.abs(flux) * scaler.noise[part])
    known = scaler.known[part] & np.isfinite(flux) & np.isfinite(both) & (both > 0)
    return np.where(known, both, np.inf), known
