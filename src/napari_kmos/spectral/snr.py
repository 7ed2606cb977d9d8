"""Signal-to-noise ratio of a spectrum, and its continuum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import legendre

from napari_kmos.instrument import BANDS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_kmos.spectral.windows import Window

#: Where the spectra of hot and cool stars show little but continuum, and the sky neither bright OH lines nor strong
#: absorption. K: the continuum bands beside CO of Frogel et al. (2001, AJ 122, 1896), clear of Na I, Ca I, Mg I, He I,
#: Br gamma, C IV, N III, CO and H2 1-0 lines (2.10-2.15 um, often used, holds He I 2.113, N III 2.1155 and H2 2.1218).
#: H: between Br 12 and Br 11 short of CO 8-5, and between Br 11 and Mg I 1.711. YJ and IZ: between the Paschen lines,
#: clear of He I, K I, Na I, Si I and of the absorption by water.
SNR_WINDOWS: dict[str, tuple[Window, ...]] = {
    "IZ": ((0.8765, 0.8855), (1.0400, 1.0550)),
    "YJ": ((1.0400, 1.0550), (1.2150, 1.2350)),
    "H": ((1.6500, 1.6600), (1.7150, 1.7280)),
    "K": ((2.2420, 2.2580), (2.2680, 2.2790)),
    "HK": ((2.2420, 2.2580), (2.2680, 2.2790)),
}
_MIN_POINTS = 8
_MAX_DEGREE = 2
_POINTS_PER_TERM = 8
_CLIP = 3.0
_CLIP_PASSES = 3
#: A continuum that falls below this share of its median is not divided by.
_LEAST_CONTINUUM = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Snr:
    """Signal-to-noise ratios of a spectrum.

    Parameters
    ----------
    value : float
        Median over standard deviation of the normalised flux; NaN if it could not be measured.
    propagated : float
        Median of flux over noise in the same windows; NaN without noise.
    windows : tuple of (float, float)
        Ranges in micron that were used.
    n_points : int
        Wavelengths that were used.
    """

    value: float
    propagated: float
    windows: tuple[Window, ...]
    n_points: int


def default_windows(wavelength_um: NDArray[np.float64]) -> tuple[Window, ...]:
    """Return the continuum windows of the KMOS band that a spectrum covers best, or its whole range."""
    start, end = float(wavelength_um[0]), float(wavelength_um[-1])

    def agreement(name: str) -> float:
        band = BANDS[name]
        common = min(end, band.end_um) - max(start, band.start_um)
        return common / (max(end, band.end_um) - min(start, band.start_um))

    best = max(BANDS, key=agreement)
    inside = tuple(window for window in SNR_WINDOWS[best] if start <= window[0] and window[1] <= end)
    return inside or ((start, end),)


def measure_snr(
    wavelength_um: ArrayLike,
    flux: ArrayLike,
    windows: Sequence[Window] | None = None,
    *,
    noise: ArrayLike | None = None,
) -> Snr:
    """Measure the signal-to-noise ratio per wavelength element in continuum windows.

    Parameters
    ----------
    wavelength_um, flux : array_like of float, shape (n_wavelength,)
        Spectrum, ascending; NaN is ignored.
    windows : sequence of (start, end) in micron, optional
        Continuum; `default_windows` if not given.
    noise : array_like of float, shape (n_wavelength,), optional
        1 sigma in the unit of the flux, for the propagated ratio.

    Returns
    -------
    Snr
        ``value`` is NaN where the windows hold fewer than eight points; of a star too faint to be seen it scatters
        around zero.

    Notes
    -----
    In each window the flux is divided by a polynomial of at most second degree, fitted with points beyond 3 sigma left
    out (they are bad or lines); the ratio is that of median and standard deviation of all windows together, the latter
    corrected for the terms of the fits. Of a spectrum whose continuum touches zero, the ratio is that of the median
    flux and the scatter about the polynomial, without division. Where neighbouring wavelengths are correlated, as after
    resampling, the scatter is smaller than the noise and the ratio too large: compare with ``propagated``.
    """
    wave, values = np.asarray(wavelength_um, dtype=float), np.asarray(flux, dtype=float)
    chosen = tuple(windows) if windows else default_windows(wave)
    inside = _inside(wave, chosen) & np.isfinite(values)
    propagated = math.nan
    if noise is not None:
        sigma = np.asarray(noise, dtype=float)
        inside &= np.isfinite(sigma) & (sigma > 0)
        if inside.any():
            propagated = float(np.median(values[inside] / sigma[inside]))
    pieces = _continuum_pieces(wave, values, chosen)
    n_points = sum(piece.flux.size for piece in pieces)
    return Snr(value=_ratio(pieces, n_points), propagated=propagated, windows=chosen, n_points=n_points)


def fit_continuum(
    wavelength_um: ArrayLike, flux: ArrayLike, *, degree: int = 2, clip_low: float = 2.0, clip_high: float = 3.0
) -> NDArray[np.float64]:
    """Fit a smooth continuum: a polynomial through what is left after leaving out lines.

    Parameters
    ----------
    wavelength_um, flux : array_like of float, shape (n_wavelength,)
        Spectrum; NaN is ignored.
    degree : int
        Degree of the polynomial; lowered where there are few points.
    clip_low, clip_high : float
        Points this many robust standard deviations below and above the fit are left out, three times over.

    Returns
    -------
    ndarray of float, shape (n_wavelength,)
        NaN everywhere if there are no finite points.
    """
    wave, values = np.asarray(wavelength_um, dtype=float), np.asarray(flux, dtype=float)
    used = np.isfinite(values)
    if not used.any():
        return np.full(wave.shape, np.nan)
    _, coefficients = _fit(wave[used], values[used], degree, clip_low, clip_high)
    return np.asarray(legendre.legval(_scaled(wave, wave[used]), coefficients), dtype=float)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Flux and fitted continuum of one window, outliers left out, and the number of fitted terms."""

    flux: NDArray[np.float64]
    continuum: NDArray[np.float64]
    n_terms: int


def _continuum_pieces(wave: NDArray[np.float64], flux: NDArray[np.float64], windows: Sequence[Window]) -> list[_Piece]:
    """Fit the continuum of each window that has enough points."""
    pieces = []
    for window in windows:
        inside = _inside(wave, (window,)) & np.isfinite(flux)
        x, y = wave[inside], flux[inside]
        if y.size < _MIN_POINTS // 2:
            continue
        kept, coefficients = _fit(x, y, _MAX_DEGREE, _CLIP, _CLIP)
        continuum = np.asarray(legendre.legval(_scaled(x, x), coefficients), dtype=float)
        pieces.append(_Piece(y[kept], continuum[kept], len(coefficients)))
    return pieces


def _ratio(pieces: Sequence[_Piece], n_points: int) -> float:
    """Median over standard deviation of all pieces together; NaN with too few points."""
    n_free = n_points - sum(piece.n_terms for piece in pieces)
    if n_points < _MIN_POINTS or n_free <= 0:
        return math.nan
    flux, continuum = (np.concatenate([getattr(p, name) for p in pieces]) for name in ("flux", "continuum"))
    steady = all(piece.continuum.min() > _LEAST_CONTINUUM * np.median(piece.continuum) > 0 for piece in pieces)
    # Where noise makes the continuum touch zero, dividing by it would make the ratio meaningless.
    shape = continuum if steady else 1.0
    centre = float(np.median(flux / shape))
    scatter = math.sqrt(float(np.sum(((flux - continuum) / shape) ** 2)) / n_free)
    return centre / scatter if scatter > 0 else math.copysign(math.inf, centre)


def _fit(
    x: NDArray[np.float64], y: NDArray[np.float64], degree: int, low: float, high: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Legendre fit with clipping: which points were kept, and the coefficients."""
    scaled = _scaled(x, x)
    terms = max(0, min(degree, x.size // _POINTS_PER_TERM - 1)) + 1
    basis = legendre.legvander(scaled, terms - 1)
    kept = np.ones(x.size, dtype=bool)
    for _ in range(_CLIP_PASSES):
        coefficients = np.linalg.lstsq(basis[kept], y[kept], rcond=None)[0]
        residual = y - basis @ coefficients
        sigma = 1.4826 * float(np.median(np.abs(residual[kept])))
        now = (residual > -low * sigma) & (residual < high * sigma)
        if sigma == 0 or np.count_nonzero(now) <= 2 * terms or np.array_equal(now, kept):
            break
        kept = now
    coefficients = np.linalg.lstsq(basis[kept], y[kept], rcond=None)[0]
    return kept, np.asarray(coefficients, dtype=float)


def _scaled(x: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map the range of the reference to [-1, 1]."""
    centre, half = 0.5 * (reference[0] + reference[-1]), 0.5 * (reference[-1] - reference[0])
    return np.asarray((x - centre) / (half or 1.0))


def _inside(wave: NDArray[np.float64], windows: Sequence[Window]) -> NDArray[np.bool_]:
    """Which wavelengths lie in any of the windows."""
    inside = np.zeros(wave.shape, dtype=bool)
    for start, end in windows:
        inside |= (wave >= start) & (wave <= end)
    return inside
