"""Sums over the planes of two subsets and their union, from which their images and noise follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_kmos.combine.scatter import N_BINS, count_distances, median_of
from napari_kmos.spectral.nan import divide, nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.combine.stack import Layer

    Floats = NDArray[np.float64]
    Planes = NDArray[np.float32]
    Read = tuple[Planes, Planes]

#: Of a variance that is less than this part of those it is the difference of, nothing is known.
_NO_VARIANCE = 1e-5
#: Planes so far apart share no value of the detector.
_LAG = 2


class WhiteSums:
    """Mean over planes of values and of their noise, each plane with a weight.

    Parameters
    ----------
    shape : tuple of int
        (n_y, n_x).
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._weight, self._value, self._variance = (np.zeros(shape) for _ in range(3))

    def add(self, values: NDArray[np.floating], variance: NDArray[np.floating], weights: Floats) -> None:
        """Add planes, shape (n, n_y, n_x), with a weight each."""
        known = np.isfinite(values) & np.isfinite(variance)
        by_plane = "p,pyx->yx"
        self._weight += np.einsum(by_plane, weights, known)
        self._value += np.einsum(by_plane, weights, np.where(known, values, 0))
        self._variance += np.einsum(by_plane, weights**2, np.where(known, variance, 0))

    def image(self) -> tuple[Floats, Floats]:
        """Return mean and noise; NaN without data."""
        return divide(self._value, self._weight), divide(np.sqrt(self._variance), self._weight)


def plane_weights(noise: Planes) -> Floats:
    """Return the weight of each plane: one over its median variance, so that bright sky lines do not drown the rest."""
    typical = nan_median(noise.reshape(len(noise), -1).T)
    weights = divide(np.ones(len(noise)), np.square(typical))
    return np.where(np.isfinite(weights), weights, 0.0)


class Shares(NamedTuple):
    """Which exposures two subsets have in common, by number."""

    a: Sequence[int]
    b: Sequence[int]

    @property
    def both(self) -> tuple[int, ...]:
        """Exposures in both."""
        return tuple(sorted({*self.a} & {*self.b}))


def difference_variance(
    variances: tuple[Floats, Floats], shares: Shares, layers: Sequence[Layer], read: Mapping[int, Read], weight: str
) -> Floats:
    """Return the variance of the difference of two means that may share exposures; NaN where they are the same.

    Parameters
    ----------
    variances : tuple of ndarray, shape (n, n_y, n_x)
        Of the two.
    shares : Shares
        Their exposures.
    layers : sequence of Layer
        All exposures.
    read : mapping of int to (flux, noise)
        What was read of those that are compared, by their number.
    weight : str
        What they weigh by, as in `CombineParameters`.

    Notes
    -----
    Means sum(w v) and sum(u v) of independent values v of variance s² have the covariance sum(w u s²), and with weights
    that are normalised k the correlation sum_both(k² s²) / sqrt(sum_a(k² s²) sum_b(k² s²)). The variance of the
    difference is var_a + var_b - 2 correlation sqrt(var_a var_b); for a part of a whole, of values that are equally
    noisy or weighted by their variance, that is var_part - var_whole. Medians and clipped means of many values have the
    correlation of means.
    """
    var_a, var_b = variances
    if not shares.both:
        return var_a + var_b
    sums = {}
    for name, chosen in (("a", shares.a), ("b", shares.b), ("both", shares.both)):
        sums[name] = np.zeros(var_a.shape)
        for number in chosen:
            _add_squares(sums[name], layers[number], read[number], weight)
    correlation = divide(sums["both"], np.sqrt(sums["a"] * sums["b"]))
    variance = var_a + var_b - 2 * correlation * np.sqrt(var_a * var_b)
    return np.where(variance > _NO_VARIANCE * (var_a + var_b), variance, np.nan)


def _add_squares(total: Floats, layer: Layer, read: Read, weight: str) -> None:
    """Add weight² times variance of an exposure, in place."""
    flux, noise = read
    known = np.isfinite(flux) & np.isfinite(noise)
    squares = np.square(np.where(known, noise, 0), dtype=np.float64)
    if weight == "variance":
        squares = np.nan_to_num(divide(np.ones(squares.shape), squares))
    elif weight == "exptime":
        squares *= layer.weight**2
    total[:, *layer.resampler.window] += squares


def noise_counts(cubes: Sequence[Planes], n_wanted: int) -> NDArray[np.int64]:
    """Count how far values lie from the mean of those beside them along the wavelength, in units of their noise.

    Parameters
    ----------
    cubes : sequence of ndarray, shape (2, n, n_y, n_x)
        Flux and noise of each cube, the union last; a place counts if all have data there.
    n_wanted : int
        So many planes are looked at.

    Returns
    -------
    ndarray of int, shape (n_cubes, N_BINS)
        As `count_distances`.

    Notes
    -----
    The second difference of planes that share no value, as in DER_SNR (Stoehr et al. 2008, ASP Conf. 394, 505): what
    varies smoothly along the wavelength cancels. Of what does not, lines of the sky and of the stars, in each plane a
    constant and what is proportional to the light of the spaxel are taken out, by least squares.
    """
    n_planes = cubes[0].shape[1]
    lag = min(_LAG, (n_planes - 1) // 2)
    if lag < 1:
        return np.zeros((len(cubes), N_BINS), dtype=np.int64)
    centres = np.unique(np.linspace(lag, n_planes - 1 - lag, n_wanted).astype(int))
    curved, scales = [], []
    for cube in cubes:
        (flux, *beside), noise = ([one[centres + shift] for shift in (0, -lag, lag)] for one in cube)
        middle, before, after = (np.square(one, dtype=np.float64) for one in noise)
        curved.append(2.0 * flux - beside[0] - beside[1])
        scales.append(np.sqrt(4 * middle + before + after))
    known = np.all(np.isfinite(curved), axis=0) & np.all(np.array(scales) > 0, axis=0)
    light = np.where(known, flux + beside[0] + beside[1], 0.0)
    return np.array(
        [
            count_distances(np.abs(_without_light(one, light, known))[known] / scale[known])
            for one, scale in zip(curved, scales, strict=True)
        ]
    )


def _without_light(planes: Floats, light: Floats, known: NDArray[np.bool_]) -> Floats:
    """Return planes without a constant and what is proportional to the light, each plane by itself."""
    number = np.maximum(known.sum(axis=(1, 2), keepdims=True), 1)
    values, basis = (
        np.where(known, one - np.sum(one, axis=(1, 2), keepdims=True, where=known) / number, 0.0)
        for one in (planes, light)
    )
    slope = divide(np.sum(values * basis, axis=(1, 2)), np.sum(basis**2, axis=(1, 2)))
    return values - np.nan_to_num(slope)[:, None, None] * basis


def typical_noise(counts: NDArray[np.int64]) -> list[float]:
    """Return the median distance of each cube of `noise_counts`; NaN if there are too few."""
    return [median_of(one) for one in counts]
