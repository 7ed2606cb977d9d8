"""Whether object and sky are as bright as skies of one night: a cube without its sky, or in another unit, is not."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import KmosWarning
from napari_kmos.sky._lines import beside_lines

if TYPE_CHECKING:
    from napari_kmos.sky.result import SkyResult

#: Airglow changes by a factor of two within hours; by more than this it does not.
_LARGEST_RATIO = 5.0


def warn_of_unlike(result: SkyResult) -> None:
    """Warn where the lines of the object are much fainter or brighter than those of the sky."""
    ratio = _line_ratio(result)
    where = f"{result.cube.label}: its sky lines have {ratio:.2g} times the light of those of the sky cube"
    if ratio < 1 / _LARGEST_RATIO:
        msg = f"{where}; was its sky subtracted already (then take sky-second-pass), or is it in another unit?"
    elif ratio > _LARGEST_RATIO:
        msg = f"{where}; was the sky of that cube subtracted already, or is it in another unit?"
    else:
        return
    warnings.warn(msg, KmosWarning, stacklevel=3)


def _line_ratio(result: SkyResult) -> float:
    """Light of the object's sky lines over that of the sky's; NaN without lines."""
    mask = result.line_mask
    target, sky = (
        (spectrum - beside_lines(spectrum, mask))[mask] for spectrum in (result.object_spectrum, result.sky_spectrum)
    )
    known = np.isfinite(target) & np.isfinite(sky)
    light = float(np.sum(sky[known]))
    return float(np.sum(target[known])) / light if light > 0 else float("nan")
