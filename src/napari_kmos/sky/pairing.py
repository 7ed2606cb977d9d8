"""Which sky belongs to which object: the exposure by time, the IFU by detector."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import GeometryError, KmosWarning, SkyError
from napari_kmos.instrument import ARMS, detector_of
from napari_kmos.lazy import read_chosen_planes
from napari_kmos.sky.methods import check_pair, has_data

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure

_DAY_MINUTES, _DAY_SECONDS = 1440.0, 86400.0
#: Times that differ by less than a date tells are equal.
_MINUTE_DIGITS = 3


def nearest_sky(exposure: Exposure, skies: Sequence[Exposure]) -> Exposure:
    """Return the sky exposure of the same band that is nearest in time.

    An unknown band fits any; of skies equally near the earlier one is taken.

    Raises
    ------
    SkyError
        If no sky is of the same band, or if several are and a date is missing.
    """
    return skies_by_time(exposure, skies)[0]


def skies_by_time(exposure: Exposure, skies: Sequence[Exposure]) -> list[Exposure]:
    """Return the sky exposures of the same band, the nearest in time first, else as `nearest_sky`."""
    same = [sky for sky in skies if not (sky.band and exposure.band) or sky.band == exposure.band]
    if not same:
        found = ", ".join(f"{sky.label} ({sky.band})" for sky in skies) or "none"
        msg = f"{exposure.label}: band {exposure.band}; skies given: {found}. Give a sky of the same band."
        raise SkyError(msg)
    if len(same) == 1:
        return same
    undated = [each.label for each in (exposure, *same) if each.date is None]
    if undated:
        msg = f"{', '.join(undated)}: no date, so that the nearest of {len(same)} skies cannot be chosen; give one sky"
        raise SkyError(msg)
    return sorted(same, key=lambda sky: (abs(minutes_after(sky, exposure)), minutes_after(sky, exposure)))


def minutes_after(sky: Exposure, exposure: Exposure) -> float:
    """Return how many minutes after an exposure the middle of another one is; NaN where a date is missing."""
    return round((_middle_mjd(sky) - _middle_mjd(exposure)) * _DAY_MINUTES, _MINUTE_DIGITS)


def choose_sky_cube(cube: Cube, sky: Exposure) -> Cube:
    """Return the sky cube for one object cube: of the same IFU, else of the nearest IFU of the same detector.

    Another IFU's sky must have the same shape, and a warning tells that it was taken. A cube without IFU number (of a
    mosaic, or of a combined file that does not tell) takes the only sky there is.

    Raises
    ------
    SkyError
        If there is none.
    """
    for each in sky_candidates(cube, sky):
        if has_data(each):
            if cube.ifu is not None and each.ifu != cube.ifu:
                msg = f"{cube.label}: {sky.label} has no data in this IFU; the sky of IFU {each.ifu} is used"
                warnings.warn(msg, KmosWarning, stacklevel=2)
            return each
    raise SkyError(_no_sky(cube, sky))


def has_own_sky(cube: Cube, sky: Exposure) -> bool:
    """Tell whether a sky exposure has data in the IFU of an object cube, or is the only one there is for it."""
    return any(_is_own(cube, each, sky) and has_data(each) for each in sky.cubes)


def check_sky(exposure: Exposure, cubes: Sequence[Cube], sky: Exposure) -> None:
    """Check, before work begins, that a sky is another exposure and has something for each object cube that has data.

    Raises
    ------
    SkyError
        If it is the same file or a copy of it, or lacks an IFU.
    GeometryError
        If shapes, wavelengths or units of object and sky differ.
    """
    if exposure.path is not None and sky.path is not None and exposure.path.resolve() == sky.path.resolve():
        msg = f"{exposure.path}: is its own sky, and nothing would be left; give the exposure of the sky (--sky)"
        raise SkyError(msg)
    if _is_copy(exposure, sky):
        msg = (
            f"{exposure.label}: {sky.label} is the same exposure (it began at the same time and shows the same), and "
            "nothing would be left; give the exposure of the sky (--sky)"
        )
        raise SkyError(msg)
    for cube in cubes:
        try:
            _check_cube(cube, sky)
        except (GeometryError, SkyError):
            if has_data(cube):
                raise


def _is_copy(exposure: Exposure, sky: Exposure) -> bool:
    """Tell whether a sky began when the object did and shows the same in the middle plane of the first IFU of both."""
    if exposure.date is None or sky.date is None or exposure.date != sky.date:
        return False
    others = {cube.ifu: cube for cube in sky.cubes}
    pair = next(((cube, others[cube.ifu]) for cube in exposure.cubes if cube.ifu in others), None)
    if pair is None:  # another part of the same exposure
        return False
    mine, other = (read_chosen_planes(cube.flux, np.array([cube.shape[0] // 2])) for cube in pair)
    return bool(np.isfinite(mine).any()) and np.array_equal(mine, other, equal_nan=True)


def _check_cube(cube: Cube, sky: Exposure) -> None:
    """Check by the headers that a sky has something for one object cube."""
    candidates = sky_candidates(cube, sky)
    if not candidates:
        raise SkyError(_no_sky(cube, sky))
    check_pair(cube, candidates[0])


def _middle_mjd(exposure: Exposure) -> float:
    """Middle of an exposure, its start where the exposure time is not known; NaN without a date.

    A combined cube has the exposure time of all that is in it, which tells no middle.
    """
    if exposure.date is None:
        return float("nan")
    times = [cube.exptime for cube in exposure.cubes if cube.exptime is not None]
    length = times[0] if times and exposure.kind == "exposure" else 0.0
    return float(exposure.date.mjd) + length / _DAY_SECONDS / 2


def sky_candidates(cube: Cube, sky: Exposure) -> list[Cube]:
    """Sky cubes that may serve a cube, the best first, whether they hold data or not."""
    own = [each for each in sky.cubes if _is_own(cube, each, sky)]
    return own + [each for each in _neighbours(cube, sky) if each.shape == cube.shape]


def _is_own(cube: Cube, each: Cube, sky: Exposure) -> bool:
    """Whether a sky cube is of the same IFU, or the only one there is for a cube that does not tell its IFU."""
    return each.ifu == cube.ifu or (cube.ifu is None and len(sky.cubes) == 1)


def _neighbours(cube: Cube, sky: Exposure) -> list[Cube]:
    """Sky cubes of other IFUs of the same detector, the nearest number first."""
    ifu = cube.ifu
    if ifu is None or ifu not in ARMS:
        return []
    others = [(abs(each.ifu - ifu), each.ifu, each) for each in sky.cubes if each.ifu is not None and each.ifu != ifu]
    same = [item for item in others if detector_of(item[1]) == detector_of(ifu)]
    return [each for _, _, each in sorted(same, key=lambda item: item[:2])]


def _no_sky(cube: Cube, sky: Exposure) -> str:
    """Say why there is no sky for a cube."""
    have = ", ".join("no number" if each.ifu is None else str(each.ifu) for each in sky.cubes) or "none"
    empty = [each for each in sky_candidates(cube, sky) if not has_data(each)]
    gone = f" ({', '.join(each.label for each in empty)}: no data, all NaN)" if empty else ""
    where = f"in IFU {cube.ifu} or another IFU of its detector" if cube.ifu in ARMS else "that belongs to it"
    other = [each for each in _neighbours(cube, sky) if each.shape != cube.shape]
    shapes = f" (that of IFU {other[0].ifu} has shape {other[0].shape}, not {cube.shape})" if other else ""
    return (
        f"{cube.label}: {sky.label} has no sky {where}; IFUs there: {have}{gone}{shapes}. "
        "Give another sky, or choose IFUs that have one (--ifu)."
    )
