"""Signal-to-noise ratio of a spectrum: by its noise, by the scatter of its continuum, and by DER_SNR."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.instrument import likeliest_band
from napari_kmos.spectral.polynomials import evaluate_polynomial, fit_polynomial
from napari_kmos.spectral.windows import in_windows

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
_CLIP = 3.0
#: A continuum that falls below this share of its median is not divided by.
_LEAST_CONTINUUM = 0.5
#: Scatter of 2 f[k] - f[k-2] - f[k+2] over that of f, where the noise is not correlated, and sigma over median.
_DER_SCALE = 1.482602 / math.sqrt(6)
#: Correlation of the noise is looked for over so many planes.
_LAGS = (1, 2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snr:
    """Signal-to-noise ratios of a spectrum, per plane.

    Parameters
    ----------
    value : float
        Median over standard deviation of the normalised flux; NaN if it could not be measured.
    propagated : float
        Median of flux over noise in the same windows; NaN without noise.
    der : float
        DER_SNR, the mean of the same windows by their lengths; NaN if it could not be measured.
    correlation : float
        By how much the noise of a mean of many planes is larger than that of as many independent ones, from the
        correlation of the scatter in the windows over three planes: 1 is white noise. ``value`` and ``der`` are too
        large by it where they are taken for the ratio of independent planes. NaN where it could not be measured.
    windows : tuple of (float, float)
        Ranges in micron that were used.
    n_points : int
        Wavelengths that were used.
    """

    value: float
    propagated: float
    windows: tuple[Window, ...]
    n_points: int
    der: float = math.nan
    correlation: float = math.nan


def default_windows(wavelength_um: NDArray[np.float64]) -> tuple[Window, ...]:
    """Return the continuum windows of the KMOS band that a spectrum covers best, or its whole range."""
    start, end = float(wavelength_um[0]), float(wavelength_um[-1])
    best = likeliest_band(start, end).name
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
    flux and the scatter about the polynomial, without division.

    DER_SNR (Stoehr et al. 2008, ASPC 394, 505) is the median flux over 1.482602 / sqrt(6) times the median of
    abs(2 f[k] - f[k-2] - f[k+2]): it needs no continuum. Where neighbouring wavelengths are correlated, as after
    resampling, the scatter is smaller than the noise and both ratios are too large: compare with ``propagated``, and
    see ``correlation``, which 100 planes tell to about 0.15.
    """
    wave, values = np.asarray(wavelength_um, dtype=float), np.asarray(flux, dtype=float)
    chosen = tuple(windows) if windows else default_windows(wave)
    inside = in_windows(wave, chosen) & np.isfinite(values)
    propagated = math.nan
    if noise is not None:
        sigma = np.asarray(noise, dtype=float)
        inside &= np.isfinite(sigma) & (sigma > 0)
        if inside.any():
            propagated = float(np.median(values[inside] / sigma[inside]))
    pieces = _continuum_pieces(wave, values, chosen)
    n_points = sum(int(np.count_nonzero(piece.kept)) for piece in pieces)
    return Snr(
        value=_ratio(pieces, n_points),
        propagated=propagated,
        windows=chosen,
        n_points=n_points,
        der=_der_of(values, [in_windows(wave, [window]) for window in chosen]),
        correlation=_correlation(pieces) if n_points >= _MIN_POINTS else math.nan,
    )


def der_snr(flux: ArrayLike) -> float:
    """Return DER_SNR of a piece of spectrum: see `measure_snr`.

    Parameters
    ----------
    flux : array_like of float, shape (n_wavelength,)
        In neighbouring planes; NaN is no data.

    Returns
    -------
    float
        NaN with fewer than eight differences; infinite without noise.
    """
    values = np.asarray(flux, dtype=float)
    differences = 2 * values[2:-2] - values[:-4] - values[4:] if values.size > 4 else np.empty(0)
    differences = differences[np.isfinite(differences)]
    if differences.size < _MIN_POINTS:
        return math.nan
    centre, noise = float(np.nanmedian(values)), _DER_SCALE * float(np.median(np.abs(differences)))
    return centre / noise if noise > 0 else math.copysign(math.inf, centre)


def _der_of(flux: NDArray[np.float64], insides: Sequence[NDArray[np.bool_]]) -> float:
    """Return the mean DER_SNR of windows, each by its number of planes; NaN if none has one."""
    ratios = np.array([der_snr(flux[inside]) for inside in insides])
    known = np.isfinite(ratios)
    sizes = np.array([np.count_nonzero(inside) for inside in insides])
    if not known.any():
        return math.inf if np.isposinf(ratios).any() else math.nan
    return float(np.average(ratios[known], weights=sizes[known]))


@dataclass(frozen=True, slots=True)
class _Piece:
    """Flux and fitted continuum of one window, which points are no outliers, and the number of fitted terms."""

    flux: NDArray[np.float64]
    continuum: NDArray[np.float64]
    kept: NDArray[np.bool_]
    n_terms: int


def _continuum_pieces(wave: NDArray[np.float64], flux: NDArray[np.float64], windows: Sequence[Window]) -> list[_Piece]:
    """Fit the continuum of each window that has enough points."""
    pieces = []
    for window in windows:
        inside = in_windows(wave, (window,)) & np.isfinite(flux)
        x, y = wave[inside], flux[inside]
        if y.size < _MIN_POINTS // 2:
            continue
        kept, coefficients = fit_polynomial(x, y, _MAX_DEGREE, clip=(_CLIP, _CLIP))
        pieces.append(_Piece(y, evaluate_polynomial(x, coefficients, x), kept, len(coefficients)))
    return pieces


def _ratio(pieces: Sequence[_Piece], n_points: int) -> float:
    """Median over standard deviation of all pieces together; NaN with too few points."""
    n_free = n_points - sum(piece.n_terms for piece in pieces)
    if n_points < _MIN_POINTS or n_free <= 0:
        return math.nan
    flux, continuum = (np.concatenate([getattr(p, name)[p.kept] for p in pieces]) for name in ("flux", "continuum"))
    steady = all(
        continuum.min() > _LEAST_CONTINUUM * np.median(continuum) > 0
        for continuum in (piece.continuum[piece.kept] for piece in pieces)
    )
    # Where noise makes the continuum touch zero, dividing by it would make the ratio meaningless.
    shape = continuum if steady else 1.0
    centre = float(np.median(flux / shape))
    scatter = math.sqrt(float(np.sum(((flux - continuum) / shape) ** 2)) / n_free)
    return centre / scatter if scatter > 0 else math.copysign(math.inf, centre)


def _correlation(pieces: Sequence[_Piece]) -> float:
    """Return the square root of 1 + 2 sum of the correlations with the next planes; outliers have no part in it."""
    residuals = [np.where(piece.kept, piece.flux - piece.continuum, 0.0) for piece in pieces]
    n_points = sum(one.size for one in residuals)
    variance = sum(float(one @ one) for one in residuals) / max(n_points - sum(piece.n_terms for piece in pieces), 1)
    if variance <= 0:
        return math.nan
    products = sum(float(one[lag:] @ one[:-lag]) for one in residuals for lag in _LAGS)
    # a fit makes what it leaves of white noise anticorrelated
    products += variance * sum(_leverage(piece) for piece in pieces)
    return math.sqrt(max(1 + 2 * products / (variance * n_points), 0.0))


def _leverage(piece: _Piece) -> float:
    """Return the sums along the first diagonals of the matrix that makes the fit from the flux."""
    along = np.linspace(-1, 1, piece.flux.size)
    basis, _ = np.linalg.qr(np.vander(along, piece.n_terms))
    return sum(float(np.sum(basis[lag:] * basis[:-lag])) for lag in _LAGS)
