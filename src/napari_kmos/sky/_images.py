"""Images of a field before and after its sky was subtracted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.sky._lines import beside_lines
from napari_kmos.sky.result import SkyImages
from napari_kmos.spectral.nan import divide, nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube

    Floats = NDArray[np.float64]


def sky_images(cube: Cube, sky: Cube, clean: Cube, lines: NDArray[np.bool_]) -> SkyImages:
    """Compare object minus sky as it is with the cube without sky; ``lines`` are the line pixels of the wavelengths."""
    before = np.asarray(cube.flux) - np.asarray(sky.flux)
    after = np.asarray(clean.flux)
    noise = np.full(1, np.nan)
    if cube.noise is not None and sky.noise is not None:
        noise = np.hypot(np.asarray(cube.noise)[lines], np.asarray(sky.noise)[lines])
    noise_after = noise if clean.noise is None else np.asarray(clean.noise)[lines]
    return SkyImages(
        white_before=nan_median(before),
        white_after=nan_median(after),
        left_before=_left_on_lines(before, noise, lines),
        left_after=_left_on_lines(after, noise_after, lines),
    )


def _left_on_lines(flux: Floats, noise: Floats, lines: NDArray[np.bool_]) -> Floats:
    """Return the robust scatter on line pixels above the continuum, over the noise on line pixels."""
    z = divide((flux - beside_lines(flux, lines))[lines], np.broadcast_to(noise, flux[lines].shape))
    return 1.4826 * nan_median(np.abs(z))
