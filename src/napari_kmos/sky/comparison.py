"""What every method leaves of the sky in one IFU, measured on the same spaxels, planes and voxels."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_kmos.errors import SkyError
from napari_kmos.sky._likeness import warn_of_unlike
from napari_kmos.sky._resample import fill_gaps
from napari_kmos.sky._sampling import warn_of_sampling
from napari_kmos.sky._starlight import star_features, without_stars
from napari_kmos.sky.interpolation import match_skies
from napari_kmos.sky.methods import SKY_METHODS, in_memory
from napari_kmos.sky.parameters import SkyParameters
from napari_kmos.spectral.nan import divide, nan_mean, nan_median, robust_sigma
from napari_kmos.spectral.noise import ensure_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube

    Floats = NDArray[np.float64]

#: Darkest spaxels that are looked at.
_SPAXELS = 36
#: A line pixel: the sky above its running percentile of so many planes exceeds this share of its maximum, widened.
_WIDTH, _PERCENTILE, _LINE_SHARE, _WIDEN = 61, 25, 0.03, 2
#: Planes at either end, and voxels this many sigma from the other spaxels, that are left out.
_END, _OUTLIER = 25, 12.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MethodScore:
    """What one method leaves.

    Parameters
    ----------
    method : str
        Key of `SKY_METHODS`.
    per_spaxel : float
        Scatter on line pixels over the noise of the object: 1.4826 times the median of the absolute. 1 is as if the sky
        were known without error.
    mean : float
        Root mean square, on line pixels, of the mean of the spaxels over its noise.
    rms_before, rms_after : float
        The same in the unit of the flux, for the sky as it is and for this method.
    shift_pix : float
        As `SkyResult` has it.
    seconds : float
        What the method took.
    note : str
        Why another method stood in for it.
    spectrum : ndarray, shape (n_planes,)
        Mean of the spaxels without continuum and starlight; NaN without data.
    """

    method: str
    per_spaxel: float
    mean: float
    rms_before: float
    rms_after: float
    shift_pix: float
    seconds: float
    note: str
    spectrum: Floats


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SkyComparison:
    """All methods on one IFU.

    Parameters
    ----------
    cube : Cube
        The object, as it came.
    error : ndarray, shape (n_planes,)
        Noise of the object in the mean of the spaxels; NaN without data.
    lines : ndarray of bool, shape (n_planes,)
        The line pixels.
    dark : ndarray of bool, shape (n_y, n_x)
        The spaxels.
    scores : tuple of MethodScore
        In the order of `SKY_METHODS`.
    """

    cube: Cube
    error: Floats
    lines: NDArray[np.bool_]
    dark: NDArray[np.bool_]
    scores: tuple[MethodScore, ...]


def compare_methods(
    cube: Cube,
    skies: Sequence[tuple[Cube, float]],
    *,
    methods: Sequence[str] = tuple(SKY_METHODS),
    parameters: SkyParameters | None = None,
) -> SkyComparison:
    """Subtract the sky with every method and measure what each leaves.

    Parameters
    ----------
    cube : Cube
        Object, shape (n_wavelength, n_y, n_x), in memory or lazy; it is not modified.
    skies : sequence of (Cube, float)
        Sky cubes and their weights, as in `subtract_skies`.
    methods : sequence of str
        Keys of `SKY_METHODS`.
    parameters : SkyParameters, optional
        Defaults if None.

    Returns
    -------
    SkyComparison
        The spaxels are the 36 in which object minus sky is darkest, the line pixels those where the sky is bright. The
        noise is that of the object alone: object and sky with independent noise give 1.41.

    Raises
    ------
    SkyError
        As `subtract_sky`, or if no plane has a sky line.
    GeometryError
        As `subtract_sky`.

    Notes
    -----
    What is left less its running median of 61 planes in each spaxel, over the noise of the object. Light of stars that
    is in dark spaxels too has features which no method should take away: what the light of the brighter spaxels is made
    of is fitted to each spaxel beside the lines and taken off. Voxels 12 sigma off the other spaxels with any method
    are left out with all.
    """
    warn_of_sampling(cube)
    cube = ensure_noise(in_memory(cube))
    pairs = [(in_memory(sky), weight) for sky, weight in skies]
    results, seconds = {}, {}
    for method in methods:
        start = time.perf_counter()
        results[method] = match_skies(cube, pairs, method=method, parameters=parameters or SkyParameters())
        seconds[method] = time.perf_counter() - start
    warn_of_unlike(next(iter(results.values())))
    field = _find_field(cube, pairs)
    spectra = [field.left(field.plain), *(field.left(np.asarray(result.cube.flux)) for result in results.values())]
    before, *left = field.clean(spectra)
    scores = [
        MethodScore(
            method=method,
            per_spaxel=field.per_spaxel(each),
            mean=field.mean(each),
            rms_before=field.rms(before),
            rms_after=field.rms(each),
            shift_pix=result.shift_pix,
            seconds=seconds[method],
            note=result.note,
            spectrum=nan_mean(each.T),
        )
        for (method, result), each in zip(results.items(), left, strict=True)
    ]
    return SkyComparison(cube=cube, error=field.error(), lines=field.lines, dark=field.dark, scores=tuple(scores))


@dataclass(frozen=True, slots=True, eq=False)
class _Field:
    """Where is measured, the same for all methods; spectra of the spaxels have the shape (n_planes, n_spaxels).

    ``plain`` is object minus sky as it is, ``beside`` the planes without lines, ``features`` what the
    starlight of brighter spaxels is made of, without continuum.
    """

    plain: Floats
    noise: Floats
    dark: NDArray[np.bool_]
    lines: NDArray[np.bool_]
    beside: NDArray[np.bool_]
    features: Floats

    def left(self, flux: Floats) -> Floats:
        """Return the spectra of the spaxels without their continuum."""
        spectra = flux[:, self.dark].astype(float)
        return spectra - _running_median(spectra)

    def clean(self, spectra: Sequence[Floats]) -> list[Floats]:
        """Return the same spectra without starlight and without voxels that are far off in any."""
        far = [np.abs(each - nan_median(each.T)[:, None]) > _OUTLIER * self.noise for each in spectra]
        bad = np.any(far, axis=0)
        sigma = nan_median(self.noise.T)
        return [without_stars(np.where(bad, np.nan, each), self.features, sigma, self.beside) for each in spectra]

    def per_spaxel(self, left: Floats) -> float:
        """Scatter of the voxels on line pixels over their noise."""
        return robust_sigma((left / self.noise)[self.lines])

    def mean(self, left: Floats) -> float:
        """Root mean square of the mean on line pixels over its noise."""
        z = (left / self.noise)[self.lines].T
        return _root_mean_square(nan_mean(z) * np.sqrt(np.count_nonzero(np.isfinite(z), axis=0)))

    def rms(self, left: Floats) -> float:
        """Root mean square of the mean on line pixels in the unit of the flux."""
        return _root_mean_square(nan_mean(left[self.lines].T))

    def error(self) -> Floats:
        """Return the noise of the mean."""
        used = np.count_nonzero(np.isfinite(self.noise), axis=1)
        return divide(np.sqrt(nan_mean(self.noise.T**2)), np.sqrt(used))


def _find_field(cube: Cube, skies: Sequence[tuple[Cube, float]]) -> _Field:
    """Find the spaxels and the planes, told by object and sky as they are."""
    flux = np.asarray(cube.flux, dtype=float)
    weights = np.array([weight for _, weight in skies]) / sum(weight for _, weight in skies)
    sky = sum(weight * np.asarray(each.flux, dtype=float) for (each, _), weight in zip(skies, weights, strict=True))
    plain = flux - sky
    light = nan_median(plain)
    order = np.argsort(light, axis=None)[: np.count_nonzero(np.isfinite(light))]
    dark, bright = np.zeros((2, *light.shape), dtype=bool)
    dark.flat[order[:_SPAXELS]] = True
    bright.flat[order[max(_SPAXELS, order.size // 2) :]] = True
    noise = np.asarray(cube.noise, dtype=float)[:, dark]
    lines, beside = _line_pixels(nan_mean(sky[:, dark | bright].T), np.isfinite(plain[:, dark]).any(axis=1))
    if not lines.any():
        msg = f"{cube.label}: the sky has no lines on which methods could be compared; give a sky with airglow"
        raise SkyError(msg)
    features = star_features(plain[:, bright], beside, _running_median)
    return _Field(plain, noise, dark, lines, beside, features)


def _line_pixels(sky: Floats, known: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the planes on which the sky is bright and those on which it is not, without the ends of the data."""
    used = known & np.isfinite(sky)
    planes = np.flatnonzero(used)
    used[planes[:_END]] = used[planes[-_END:]] = False
    filled = fill_gaps(sky[:, None])[:, 0]
    above = filled - ndimage.percentile_filter(filled, _PERCENTILE, _WIDTH)
    bright = ndimage.binary_dilation(above > _LINE_SHARE * above[used].max(initial=0.0), np.ones(2 * _WIDEN + 1))
    return bright & used, ~bright & used


def _running_median(spectra: Floats) -> Floats:
    """Return the running median along the first axis."""
    return np.asarray(ndimage.median_filter(fill_gaps(spectra), (_WIDTH, 1), mode="nearest"))


def _root_mean_square(values: Floats) -> float:
    """Root mean square of what is finite."""
    return float(np.sqrt(nan_mean(values**2)))
