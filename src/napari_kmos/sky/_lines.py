"""Line pixels of the mean spectra, continuum below them, and the factor that fits them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_kmos.sky._bands import covered_bands
from napari_kmos.sky._resample import fill_gaps
from napari_kmos.spectral.nan import divide

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky.parameters import SkyParameters

#: Percentile and width, in line half widths, of the continuum that carries no factor.
_CONTINUUM_PERCENTILE = 25
_CONTINUUM_WIDTH = 15
#: Planes over which the level beside the lines is taken.
_BESIDE_WIDTH = 61
#: A factor below this many times its error is no fit.
_MIN_SIGNIFICANCE = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class MeanSpectra:
    """Mean spectra of object and sky over the sky spaxels, and which pixels are lines; all of shape (n_wavelength,).

    Parameters
    ----------
    wavelength_um : ndarray
        Wavelengths.
    target, sky : ndarray
        Object and sky; NaN is no data.
    lines, continuum : ndarray of bool
        Pixels with data in both that belong to a sky line, or to none.
    """

    wavelength_um: NDArray[np.float64]
    target: NDArray[np.float64]
    sky: NDArray[np.float64]
    lines: NDArray[np.bool_]
    continuum: NDArray[np.bool_]

    def with_sky(self, sky: NDArray[np.float64]) -> MeanSpectra:
        """Return the same with another sky; pixels without data in it are neither lines nor continuum."""
        known = np.isfinite(sky)
        return dataclasses.replace(self, sky=sky, lines=self.lines & known, continuum=self.continuum & known)

    def within(self, pixels: NDArray[np.bool_]) -> MeanSpectra:
        """Return the same with the line pixels limited to some."""
        return dataclasses.replace(self, lines=self.lines & pixels)


@dataclass(frozen=True, slots=True)
class FactorFit:
    """A factor with its error, and the number of line pixels it was fitted on; NaN if it could not be fitted."""

    factor: float
    n_pixels: int
    error: float = float("nan")


def mean_spectra(
    wavelength_um: NDArray[np.float64], target: NDArray[np.float64], sky: NDArray[np.float64], p: SkyParameters
) -> MeanSpectra:
    """Find the line pixels of the sky.

    Freed from a running median of ten half widths, a line pixel exceeds ``line_median`` times the median of its band
    plus ``line_sigma`` times the standard deviation of the whole spectrum; one half width to either side belongs to
    it.
    """
    known = np.isfinite(target) & np.isfinite(sky)
    found = np.zeros(sky.size, dtype=bool)
    if known.any():
        filled = _without_gaps(sky)
        above = filled - ndimage.median_filter(filled, size=10 * p.line_hw + 1, mode="nearest")
        spread = float(np.std(above[known]))
        for _, planes in covered_bands(wavelength_um):
            level = float(np.median(above[planes][known[planes]])) if known[planes].any() else 0.0
            found[planes] = above[planes] > p.line_median * level + p.line_sigma * spread
    lines = ndimage.binary_dilation(found & known, np.ones(2 * p.line_hw + 1, dtype=bool)) & known
    return MeanSpectra(wavelength_um, target, sky, lines, known & ~lines)


def band_pieces(spectra: MeanSpectra) -> tuple[tuple[str, slice, MeanSpectra], ...]:
    """Return name, planes and mean spectra, cut to its planes, of each band the wavelengths cover."""
    return tuple(
        (
            name,
            planes,
            MeanSpectra(
                spectra.wavelength_um[planes],
                spectra.target[planes],
                spectra.sky[planes],
                spectra.lines[planes],
                spectra.continuum[planes],
            ),
        )
        for name, planes in covered_bands(spectra.wavelength_um)
    )


def smooth_continuum(spectrum: NDArray[np.float64], p: SkyParameters) -> NDArray[np.float64]:
    """Return what lies below the lines: a running 25 % percentile, smoothed; without gaps."""
    width = _CONTINUUM_WIDTH * p.line_hw + 1
    low = ndimage.percentile_filter(_without_gaps(spectrum), _CONTINUUM_PERCENTILE, size=width, mode="nearest")
    return np.asarray(ndimage.uniform_filter1d(low, width, mode="nearest"))


def above_continuum(spectrum: NDArray[np.float64], p: SkyParameters) -> NDArray[np.float64]:
    """Return the spectrum above its smooth continuum, without gaps."""
    return _without_gaps(spectrum) - smooth_continuum(spectrum, p)


def beside_lines(spectra: NDArray[np.float64], lines: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the running mean along the first axis of what is no line and has data; interpolated where nothing is."""
    used = np.isfinite(spectra) & ~lines.reshape(-1, *(1,) * (spectra.ndim - 1))
    share, mean = (
        ndimage.uniform_filter1d(values, _BESIDE_WIDTH, axis=0, mode="constant")
        for values in (used.astype(float), np.where(used, spectra, 0.0))
    )
    level = divide(mean, np.where(share * _BESIDE_WIDTH > 0.5, share, 0.0))
    return fill_gaps(level.reshape(len(spectra), -1)).reshape(spectra.shape)


def line_part(spectrum: NDArray[np.float64], spectra: MeanSpectra) -> NDArray[np.float64]:
    """Return the line pixels of a spectrum above its continuum, interpolated linearly between continuum pixels."""
    index = np.arange(spectrum.size)
    lines, continuum = spectra.lines, spectra.continuum
    return np.asarray(spectrum[lines] - np.interp(index[lines], index[continuum], spectrum[continuum]))


def has_enough(spectra: MeanSpectra, p: SkyParameters) -> bool:
    """Tell whether there are the least numbers of line and of continuum pixels."""
    return bool(min(np.count_nonzero(spectra.lines), np.count_nonzero(spectra.continuum)) >= p.min_pixels)


def fit_factor(spectra: MeanSpectra, p: SkyParameters) -> FactorFit:
    """Find the factor that minimises the standard deviation of lines(target) - factor * lines(sky).

    That is the slope of the regression of one on the other, so that no search is needed. Line pixels off by more
    than ``clip_sigma`` are rejected once and the factor is fitted again. A factor that is not significant is no fit.
    """
    n_lines = int(np.count_nonzero(spectra.lines))
    if not has_enough(spectra, p):
        return FactorFit(float("nan"), n_lines)
    y, x = line_part(spectra.target, spectra), line_part(spectra.sky, spectra)
    factor = _slope(y, x)
    residual = y - factor * x
    kept = np.abs(residual - np.median(residual)) <= p.clip_sigma * np.std(residual)
    if not kept.all() and np.count_nonzero(kept) >= p.min_pixels:
        factor, n_lines = _slope(y[kept], x[kept]), int(np.count_nonzero(kept))
        y, x = y[kept], x[kept]
    error = _slope_error(y, x)
    if not factor > _MIN_SIGNIFICANCE * error:
        return FactorFit(float("nan"), n_lines)
    return FactorFit(factor, n_lines, error)


def _slope_error(y: NDArray[np.float64], x: NDArray[np.float64]) -> float:
    """Error of the slope of the regression of y on x, from what it leaves; NaN if x is constant."""
    power = float(np.sum((x - x.mean()) ** 2))
    return float(np.sqrt(unexplained(y, x) / max(x.size - 2, 1) / power)) if power > 0 else float("nan")


def line_rms(difference: NDArray[np.float64], spectra: MeanSpectra) -> float:
    """Return the standard deviation of a difference spectrum on the line pixels, above its continuum.

    NaN without line or continuum pixels. Pixels where the difference has no data are left out.
    """
    spectra = spectra.with_sky(difference)
    if not spectra.lines.any() or not spectra.continuum.any():
        return float("nan")
    return float(np.std(line_part(difference, spectra)))


def unexplained(y: NDArray[np.float64], x: NDArray[np.float64]) -> float:
    """Return the sum of the squares of y that its regression on x leaves."""
    slope = _slope(y, x)
    residual = y - (slope * x if np.isfinite(slope) else 0.0)
    return float(np.sum((residual - residual.mean()) ** 2))


def _slope(y: NDArray[np.float64], x: NDArray[np.float64]) -> float:
    """Slope of the regression of y on x; NaN if x is constant."""
    x, y = x - x.mean(), y - y.mean()
    power = float(x @ x)
    return float(x @ y) / power if power > 0 else float("nan")


def _without_gaps(spectrum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spectrum with gaps interpolated."""
    return fill_gaps(spectrum[:, None])[:, 0]
