"""White light: at once from some planes, exact when there is time, at once again on later openings."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.io.summaries import find_arrays
from napari_kmos.lazy import read_chosen_planes
from napari_kmos.progress import Progress, silent
from napari_kmos.spectral import collapse_median
from napari_kmos.spectral.collapse import image_of
from napari_kmos.summary.medians import MEDIANS, large_source, medians_of

if TYPE_CHECKING:
    from napari_kmos.cube import Cube, Image

#: Their median is uncertain to a sixth of the noise of one plane; reading them takes a fraction of a second.
_PREVIEW_PLANES = 64


def preview_white_light(cube: Cube) -> Image:
    """Return about what `white_light` does, from a few planes spread over the wavelengths; itself where it was kept.

    Parameters
    ----------
    cube : Cube
        In memory or lazy.

    Returns
    -------
    Image
        As `collapse_median`, of planes between the ends, where there is often no data; exact where there are few.
    """
    source = large_source(cube.flux)
    kept = None if source is None else find_arrays(source, MEDIANS)
    if kept is not None:
        return image_of(cube, kept["image"], None)
    n_planes = cube.shape[0]
    spread = np.linspace(0, n_planes - 1, _PREVIEW_PLANES + 2)[1:-1]
    chosen = np.arange(n_planes) if n_planes <= _PREVIEW_PLANES else spread.astype(int)
    planes = read_chosen_planes(cube.flux, chosen)
    return collapse_median(dataclasses.replace(cube, flux=planes, noise=None, wavelength=cube.wavelength[chosen]))


def has_white_light(cube: Cube) -> bool:
    """Tell whether `white_light` takes no time: it was kept, or the cube is small."""
    source = large_source(cube.flux)
    return source is None or find_arrays(source, MEDIANS) is not None


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

    Warns
    -----
    KmosWarning
        If it cannot be kept.
    """
    if large_source(cube.flux) is None:
        return collapse_median(cube, progress=progress)
    medians = medians_of(cube.flux, text=f"white light of {cube.label}", progress=progress)
    return image_of(cube, medians["image"], None)
