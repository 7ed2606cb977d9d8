"""How noisy a cube is, and the noise of cubes that come without, found once a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.io.copies import find_copy
from napari_kmos.io.source import read_boxes
from napari_kmos.io.summaries import find_arrays, keep_arrays
from napari_kmos.progress import Progress, silent
from napari_kmos.spectral.noise import NoiseModel, fit_noise
from napari_kmos.summary.medians import NOISE_MEDIANS, large_source, medians_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.io._array import FitsArray

_MODEL = "noise-model"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NoiseSummary:
    """How noisy a cube is, place by place and wavelength by wavelength, 1 sigma in the unit of the flux.

    Parameters
    ----------
    image : ndarray of float32, shape (n_y, n_x)
        Median over the wavelengths for each spaxel; NaN is no data.
    spectrum : ndarray of float32, shape (n_wavelength,)
        Median over the spaxels (at most 4096 of them) for each plane; NaN is no data.
    """

    image: NDArray[np.float32]
    spectrum: NDArray[np.float32]


def summarise_noise(cube: Cube, *, progress: Progress = silent) -> NoiseSummary:
    """Return the medians of a cube's noise; where it has none, those of what `spectral.estimate_noise` gives it.

    Parameters
    ----------
    cube : Cube
        In memory or lazy. What is found for a large file is kept on disk.
    progress : Progress
        Told each block; may raise `Cancelled`.

    Raises
    ------
    GeometryError
        If the noise has to be estimated and there are fewer than three planes.
    """
    text = f"noise of {cube.label}"
    if cube.noise is not None:
        medians = medians_of(cube.noise, text=text, progress=progress)
    else:
        turned = NOISE_MEDIANS, noise_model(cube, progress=progress).noise_of
        medians = medians_of(cube.flux, text=text, progress=progress, turned=turned)
    return NoiseSummary(image=medians["image"], spectrum=medians["spectrum"])


def noise_model(cube: Cube, *, progress: Progress = silent) -> NoiseModel:
    """Return what the noise of a cube follows from, as `spectral.fit_noise`; kept on disk for a large file.

    Parameters
    ----------
    cube : Cube
        In memory or lazy; its noise, if any, is not looked at.
    progress : Progress
        Told that the noise is looked for; may raise `Cancelled`.

    Raises
    ------
    GeometryError
        If there are fewer than three planes.
    """
    progress(0, 1, f"estimating the noise of {cube.label}")
    source = large_source(cube.flux)
    if source is None:
        return fit_noise(cube)
    return _model(keep_arrays(source, _MODEL, lambda: _fitted(cube, source), progress=progress))


def find_noise_model(cube: Cube) -> NoiseModel | None:
    """Return what `noise_model` has kept for a large file; None where it would have to be computed."""
    source = large_source(cube.flux)
    found = None if source is None else find_arrays(source, _MODEL)
    return None if found is None else _model(found)


def _model(found: Mapping[str, NDArray[Any]]) -> NoiseModel:
    return NoiseModel(sigma=found["sigma"], sky=found["sky"], gain=float(found["gain"]))


def _fitted(cube: Cube, source: FitsArray) -> Mapping[str, NDArray[Any]]:
    """Arrays of a noise model; from the spectrum-ordered copy where there is one, without passing the whole file."""

    def gather(spaxels: NDArray[np.int_]) -> NDArray[Any]:
        y, x = np.unravel_index(spaxels, cube.shape[1:])
        boxes = [(slice(j, j + 1), slice(i, i + 1)) for j, i in zip(y.tolist(), x.tolist(), strict=True)]
        return np.concatenate([one[:, 0] for one in read_boxes(cube.flux, boxes)], axis=1)

    model = fit_noise(cube, gather=None if find_copy(source) is None else gather)
    return {"sigma": model.sigma, "sky": model.sky, "gain": np.asarray(model.gain)}
