"""Files and viewers for the tests of the plugin."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import factories
import pytest

from napari_kmos.io import write_exposure
from napari_kmos.spatial.wcs import shift_wcs

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from napari_kmos.exposure import Arm


@pytest.fixture
def exposure_file(tmp_path: Path) -> Callable[..., Path]:
    """Factory of an exposure on disk; its IFUs look at the same sky but for those ``elsewhere``."""

    def write(name: str = "exposure.fits", *, elsewhere: Mapping[int, WCS] | None = None, **facts: object) -> Path:
        exposure = factories.make_exposure(**facts)
        arms = [_looking(arm, (elsewhere or {}).get(arm.number)) for arm in exposure.arms]
        return write_exposure(dataclasses.replace(exposure, arms=tuple(arms)), tmp_path / name)

    return write


def _looking(arm: Arm, wcs: WCS | None) -> Arm:
    if arm.cube is None or wcs is None:
        return arm
    return dataclasses.replace(arm, cube=dataclasses.replace(arm.cube, wcs=wcs))


@pytest.fixture
def pair_of_files(exposure_file: Callable[..., Path]) -> tuple[Path, Path]:
    """Two exposures of IFU 5 of the same stars; the header of the second is off by (0.4, -0.2) arcsec (east, north)."""
    wrong = shift_wcs(factories.make_wcs(rotation_deg=20.0), 0.4, -0.2)
    first = exposure_file("first.fits", ifus=(5,), wcs=factories.make_wcs(rotation_deg=20.0))
    return first, exposure_file("second.fits", ifus=(5,), wcs=wrong, seed=2)
