"""Summaries of a cube's noise, kept on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.progress import Progress, silent
from napari_kmos.spectral import noise as spectral_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NoiseSummary:
    """How noisy a cube is, place by place and wavelength by wavelength.

    Parameters
    ----------
    image : ndarray of float32, shape (n_y, n_x)
        Median over the wavelengths of the 1 sigma noise of each spaxel; NaN is no data.
    spectrum : ndarray of float32, shape (n_wavelength,)
        Median over the spaxels (at most some thousands, evenly spread) of the noise of each plane; NaN is no data.
    """

    image: NDArray[np.float32]
    spectrum: NDArray[np.float32]


def summarise_noise(cube: Cube, *, progress: Progress = silent) -> NoiseSummary:
    """Return the medians of a cube's noise; where it has none, those of the noise that `ensure_noise` gives it.

    Parameters
    ----------
    cube : Cube
        In memory or lazy.
    progress : Progress
        Told each block; may raise `Cancelled`.
    """
    progress(0, 1, f"noise of {cube.label}")
    noise = np.asarray(ensure_noise(cube).noise)
    return NoiseSummary(image=np.nanmedian(noise, axis=0), spectrum=np.nanmedian(noise, axis=(1, 2)))


def ensure_noise(cube: Cube, *, progress: Progress = silent) -> Cube:
    """Return the cube if it has noise, else with noise as `napari_kmos.spectral.estimate_noise`; estimated once a file.

    Parameters
    ----------
    cube : Cube
        In memory or lazy.
    progress : Progress
        Told each block; may raise `Cancelled`.
    """
    progress(0, 1, f"noise of {cube.label}")
    return spectral_noise.ensure_noise(cube)
