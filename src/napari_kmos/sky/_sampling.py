"""Cubes that are finer than what the detectors sample: their sky should have been subtracted before."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import KmosWarning
from napari_kmos.instrument import N_PLANES, SPAXEL_ARCSEC

if TYPE_CHECKING:
    from napari_kmos.cube import Cube

#: Spaxels are as large as they should be to this part.
_TOLERANCE = 0.01


def warn_of_sampling(cube: Cube) -> None:
    """Warn if a cube was interpolated to smaller spaxels or more planes; the text is the same for all IFUs of a file.

    What is gained by the other order was measured with `levels` on simulated nights (``benchmarks/sky_levels.py``).
    """
    scale, n_planes = pixel_scale_arcsec(cube.wcs), cube.shape[0]
    finer = []
    if scale < (1 - _TOLERANCE) * SPAXEL_ARCSEC:
        finer.append(f"spaxels of {scale:.3g} arcsec (KMOS samples {SPAXEL_ARCSEC})")
    if n_planes > N_PLANES:
        finer.append(f"{n_planes} planes (KMOS samples {N_PLANES})")
    if finer:
        msg = (
            f"the cubes are interpolated, {' and '.join(finer)}; subtract the sky before that: it leaves about a third "
            "less on sky lines in the mean of an aperture, 8 % less per spaxel"
        )
        warnings.warn(msg, KmosWarning, stacklevel=3)
