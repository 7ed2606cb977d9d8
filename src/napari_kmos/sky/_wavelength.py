"""How far the lines of the object lie from those of the sky: one shift, or a polynomial along the spectrum."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import Legendre
from scipy import ndimage, optimize

from napari_kmos.errors import KmosWarning
from napari_kmos.sky._lines import above_continuum, band_pieces, has_enough, line_part, unexplained
from napari_kmos.sky._resample import WaveResampler, shifted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky._lines import MeanSpectra
    from napari_kmos.sky.parameters import SkyParameters

_GRID_PIX = 0.25
_PRECISION_PIX = 1e-3
#: A line used for the stretch exceeds this many standard deviations of the sky above its continuum.
_BRIGHT_SIGMA = 1.0
_MIN_LINES = 6
_LINES_PER_COEFFICIENT = 2
_STRETCH_CLIP = 3.0
_STRETCH_ITERATIONS = 3
#: The shift of a line is found from the slope of its profile, which is exact for small shifts only.
_STRETCH_ROUNDS = 3


def measure_shift(spectra: MeanSpectra, p: SkyParameters) -> float:
    """Return by how many pixels the object's lines lie towards longer wavelengths than the sky's.

    The shift of the sky, up to ``max_shift``, that leaves least on the line pixels when every band has its own best
    factor: first on a grid, then refined. Zero without enough line pixels, and where it is too small to be measured,
    so that the sky is not interpolated for nothing.
    """
    pieces = [(planes, piece) for _, planes, piece in band_pieces(spectra) if has_enough(piece, p)]
    if not pieces:
        return 0.0
    wanted = [line_part(piece.target, piece) for _, piece in pieces]
    above = above_continuum(spectra.sky, p)

    def misfit(shift: float) -> float:
        moved = shifted(above, shift)
        found = (line_part(moved[planes], piece) for planes, piece in pieces)
        return sum(unexplained(y, x) for y, x in zip(wanted, found, strict=True))

    steps = np.ceil(p.max_shift / _GRID_PIX)
    grid = np.arange(-steps, steps + 1) * _GRID_PIX
    best = float(grid[int(np.argmin([misfit(shift) for shift in grid]))])
    bounds = max(best - _GRID_PIX, -p.max_shift), min(best + _GRID_PIX, p.max_shift)
    fit = optimize.minimize_scalar(misfit, bounds=bounds, method="bounded", options={"xatol": _PRECISION_PIX})
    return float(fit.x) if abs(fit.x) > _PRECISION_PIX else 0.0


def measure_stretch(spectra: MeanSpectra, shift: float, p: SkyParameters, label: str) -> NDArray[np.float64]:
    """Return the shift of every pixel: a polynomial through the shifts of the bright lines about a common shift.

    Shape (n_wavelength,), positive towards longer wavelengths. The degree is lowered, with a warning, where there
    are less than two lines for a coefficient; with very few lines the common shift stays.
    """
    target, sky = above_continuum(spectra.target, p), above_continuum(spectra.sky, p)
    shifts = np.full(sky.size, shift)
    degree = p.stretch_degree
    for _ in range(_STRETCH_ROUNDS):
        moved = WaveResampler(np.arange(sky.size) - shifts).flux(sky[:, None])[:, 0]
        centres, further = _line_shifts(target, np.where(np.isfinite(moved), moved, 0.0), p)
        if centres.size < _MIN_LINES:
            msg = f"{label}: {centres.size} bright sky lines are too few for a stretch; one shift is used instead"
            warnings.warn(msg, KmosWarning, stacklevel=2)
            return np.full(sky.size, shift)
        degree = min(degree, centres.size // _LINES_PER_COEFFICIENT - 1)
        shifts = shifts + _robust_polynomial(centres, further, degree, sky.size)
    if degree < p.stretch_degree:
        msg = f"{label}: {centres.size} bright sky lines allow a stretch of degree {degree}, not {p.stretch_degree}"
        warnings.warn(msg, KmosWarning, stacklevel=2)
    return shifts


def _line_shifts(
    target: NDArray[np.float64], sky: NDArray[np.float64], p: SkyParameters
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions of the bright lines of the sky and their shifts in the object, in pixels."""
    peaks = (sky == ndimage.maximum_filter1d(sky, 2 * p.line_hw + 1)) & (sky > _BRIGHT_SIGMA * np.std(sky))
    slope = np.gradient(sky)
    centres, shifts = [], []
    for centre in np.flatnonzero(peaks):
        window = slice(max(0, centre - p.line_hw), centre + p.line_hw + 1)
        columns = np.stack([sky[window], -slope[window], np.ones(sky[window].size)], axis=1)
        (factor, moved, _), *_ = np.linalg.lstsq(columns, target[window], rcond=None)
        if factor > 0 and abs(moved / factor) <= p.max_shift:
            centres.append(float(centre))
            shifts.append(float(moved / factor))
    return np.array(centres), np.array(shifts)


def _robust_polynomial(
    centres: NDArray[np.float64], shifts: NDArray[np.float64], degree: int, n: int
) -> NDArray[np.float64]:
    """Polynomial through the shifts at every pixel, constant beyond the outermost lines."""
    domain = [centres[0], centres[-1]]
    curve = Legendre.fit(centres, shifts, degree, domain=domain)
    for _ in range(_STRETCH_ITERATIONS):
        residual = np.abs(shifts - curve(centres))
        kept = residual <= _STRETCH_CLIP * 1.4826 * np.median(residual) + _PRECISION_PIX
        if np.count_nonzero(kept) <= degree + 1:
            break
        curve = Legendre.fit(centres[kept], shifts[kept], degree, domain=domain)
    return np.asarray(curve(np.clip(np.arange(n), *domain)))
