"""Several skies for one object cube: each is matched to it on its own, and what they leave is averaged."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.cube import Cube
from napari_kmos.errors import SkyError
from napari_kmos.sky._evidence import over_noise
from napari_kmos.sky._likeness import warn_of_unlike
from napari_kmos.sky._lines import MeanSpectra, band_pieces, line_rms
from napari_kmos.sky._misfit import warn_of_misfit, with_misfit
from napari_kmos.sky._sampling import warn_of_sampling
from napari_kmos.sky.methods import DEFAULT_METHOD, in_memory, match_sky
from napari_kmos.sky.parameters import SkyParameters
from napari_kmos.spectral.nan import divide
from napari_kmos.spectral.noise import ensure_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky.result import BandFit, SkyResult


def subtract_skies(
    cube: Cube,
    skies: Sequence[tuple[Cube, float]],
    *,
    method: str = DEFAULT_METHOD,
    parameters: SkyParameters | None = None,
) -> SkyResult:
    """Subtract the average of the models that several sky cubes give.

    Parameters
    ----------
    cube : Cube
        Object, shape (n_wavelength, n_y, n_x), in memory or lazy; it is not modified.
    skies : sequence of (Cube, float)
        Sky cubes, each as in `subtract_sky`, and their weights. One alone is `subtract_sky`.
    method, parameters
        As in `subtract_sky`.

    Returns
    -------
    SkyResult
        The cube without sky, computed if there are several skies; where one of them gives no value, that of the
        others. Noise is that of the object and the models' in quadrature with their weights. Spectra, factors and
        errors are weighted means, and so are the images; what is left on the lines is that of the mean. A fit that the
        method did not trust (`SkyResult.note`) is left out where another one was trusted.

    Warns
    -----
    KmosWarning
        As `subtract_sky`, of what the average leaves.

    Raises
    ------
    SkyError
        If there is no sky cube, or as `subtract_sky`.
    GeometryError
        As `subtract_sky`.

    Notes
    -----
    The average is one of models, not of cubes: flexure shifts skies by 0.1 to 0.3 planes against each other, and the
    mean of two shifted undersampled spectra has broader lines than either. On 30 simulated nights with the object 12
    minutes after one sky and 6 before the other, what was left over the noise (per spaxel / in the mean of 36), by
    the nearest sky and by both:

    =======  ===========  ============  ============
    flexure  method       nearest       interpolated
    =======  ===========  ============  ============
    0.10     plain        1.66 / 9.92   1.51 / 9.23
    0.10     davies       1.33 / 3.12   1.21 / 2.87
    0.10     levels       0.98 / 1.08   0.98 / 1.05
    0.25     plain        2.04 / 14.5   1.82 / 13.1
    0.25     davies       1.34 / 3.72   1.23 / 3.34
    0.25     levels       0.98 / 1.08   0.98 / 1.05
    =======  ===========  ============  ============

    With the average of the cubes instead, the mean with `levels` had 1.12 at a flexure of 0.25, more than with the
    nearest; to move one sky onto the other first did not help (1.13): an interpolated spectrum makes a worse comb.
    """
    p = parameters or SkyParameters()
    warn_of_sampling(cube)
    result = match_skies(cube, skies, method=method, parameters=p)
    warn_of_unlike(result)
    warn_of_misfit(result, p)
    return result


def match_skies(
    cube: Cube, skies: Sequence[tuple[Cube, float]], *, method: str, parameters: SkyParameters
) -> SkyResult:
    """Return what `subtract_skies` does, without a word about how good it is."""
    if not skies:
        msg = f"{cube.label}: no sky cube is given; give at least one"
        raise SkyError(msg)
    if len(skies) == 1:
        return match_sky(cube, skies[0][0], method=method, parameters=parameters)
    cube = ensure_noise(in_memory(cube))
    results = [match_sky(cube, sky, method=method, parameters=parameters) for sky, _ in skies]
    pairs = [(result, weight) for result, (_, weight) in zip(results, skies, strict=True)]
    trusted = [pair for pair in pairs if not pair[0].note] or pairs
    ordered = sorted(trusted, key=lambda pair: -pair[1])
    return _average(cube, [result for result, _ in ordered], np.array([weight for _, weight in ordered]))


def _average(cube: Cube, results: Sequence[SkyResult], weights: NDArray[np.float64]) -> SkyResult:
    """Return the average of results of one object cube, that of the largest weight first."""
    if len(results) == 1:
        return results[0]
    weights = weights / weights.sum()
    sources = " and ".join(f"{weight:.2f} x {each.sky_source}" for weight, each in zip(weights, results, strict=True))
    clean = _average_cube(cube, [each.cube for each in results], weights)
    mean: SkyResult = dataclasses.replace(_mean(results, weights), cube=clean, sky_source=sources)
    return with_misfit(dataclasses.replace(mean, bands=_measured_bands(mean)))


def _mean(values: Sequence[Any], weights: NDArray[np.float64]) -> Any:
    """Return the weighted mean of all numbers in results and their parts; what is none is the first's.

    So are counts, and parts of which there are more in one result than in another.
    """
    first = values[0]
    if isinstance(first, float):
        return float(weights @ np.array(values))
    if isinstance(first, np.ndarray) and first.dtype.kind == "f":
        return _nan_average(np.stack(values), weights)
    if isinstance(first, tuple) and len({len(value) for value in values}) == 1:
        return tuple(_mean(parts, weights) for parts in zip(*values, strict=True))
    if dataclasses.is_dataclass(first) and not isinstance(first, Cube | type) and None not in values:
        names = [each.name for each in dataclasses.fields(first)]
        return dataclasses.replace(
            first, **{name: _mean([getattr(v, name) for v in values], weights) for name in names}
        )
    return first


def _nan_average(values: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted mean along the first axis of what is finite."""
    known = np.isfinite(values)
    columns = weights.reshape(-1, *(1,) * (values.ndim - 1))
    return divide(np.where(known, columns * values, 0.0).sum(axis=0), (columns * known).sum(axis=0))


def _average_cube(cube: Cube, cubes: Sequence[Cube], weights: NDArray[np.float64]) -> Cube:
    """Return the average of cubes without sky; the noise of the object is in each of them, and the same."""
    total, flux, variance = (np.zeros(cube.shape) for _ in range(3))
    own = np.asarray(cube.noise, dtype=float) ** 2
    for each, weight in zip(cubes, weights, strict=True):
        values, noise = np.asarray(each.flux, dtype=float), np.asarray(each.noise, dtype=float)
        known = np.isfinite(values)
        total += weight * known
        flux += np.where(known, weight * values, 0.0)
        variance += np.where(known, weight**2 * np.maximum(noise**2 - own, 0.0), 0.0)
    noise = np.sqrt(own + divide(variance, total**2))
    return dataclasses.replace(
        cubes[0],
        flux=divide(flux, total).astype(np.float32),
        noise=noise.astype(np.float32),
        noise_estimated=any(each.noise_estimated for each in cubes),
    )


def _measured_bands(result: SkyResult) -> tuple[BandFit, ...]:
    """Return the bands with what is left on the line pixels of the mean spectra of a result."""
    known = np.isfinite(result.residual_spectrum) & np.isfinite(result.sky_spectrum)
    lines = result.line_mask & known
    spectra = MeanSpectra(result.wavelength_um, result.object_spectrum, result.sky_spectrum, lines, known & ~lines)
    z = divide(result.left_spectrum, result.error_spectrum)
    return tuple(
        dataclasses.replace(
            band,
            rms_before=line_rms(piece.target - piece.sky, piece),
            rms_after=line_rms(piece.target - result.model_spectrum[planes], piece),
            residual_over_noise=over_noise(z[planes], piece.lines),
        )
        for band, (_, planes, piece) in zip(result.bands, band_pieces(spectra), strict=True)
    )
