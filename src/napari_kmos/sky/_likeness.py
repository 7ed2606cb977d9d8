"""Whether object and sky are as bright as skies of one night: a cube without its sky, or in another unit, is not."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import KmosWarning
from napari_kmos.sky._lines import beside_lines

if TYPE_CHECKING:
    from napari_kmos.sky.result import SkyResult

#: A line stands out of the scatter beside the lines by this factor, rms; else there is nothing to compare.
_LEAST_LIGHT = 10.0
#: Airglow changes by a factor of two within hours; by more than this it does not.
_LARGEST_RATIO = 5.0


def warn_of_unlike(result: SkyResult) -> None:
    """Warn where the lines of the object are much fainter or brighter than those of the sky; alike for all IFUs."""
    ratio = _line_ratio(result)
    if ratio < 1 / _LARGEST_RATIO:
        msg = (
            f"the sky lines of the object are less than 1/{_LARGEST_RATIO:g} as bright as those of the sky cube: was "
            "its sky subtracted already (then take sky-second-pass), or is it in another unit?"
        )
    elif ratio > _LARGEST_RATIO:
        msg = (
            f"the sky lines of the object are more than {_LARGEST_RATIO:g} times as bright as those of the sky cube: "
            "was the sky of that cube subtracted already, or is it in another unit?"
        )
    else:
        return
    warnings.warn(msg, KmosWarning, stacklevel=3)


def _line_ratio(result: SkyResult) -> float:
    """Light of the object's sky lines over that of the sky's; NaN where the sky has no lines."""
    mask = result.line_mask
    target, sky = (
        np.nan_to_num(spectrum - beside_lines(spectrum, mask))
        for spectrum in (result.object_spectrum, result.sky_spectrum)
    )
    if not mask.any() or np.std(sky[mask]) < _LEAST_LIGHT * np.std(sky[~mask]):
        return float("nan")
    return float(np.sum(target[mask] * sky[mask]) / np.sum(sky[mask] ** 2))
