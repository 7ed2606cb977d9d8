"""Files and viewers for the tests of the plugin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import factories
import pytest

from napari_kmos.io import write_exposure
from napari_kmos.spatial.wcs import shift_wcs


@pytest.fixture
def exposure_file(tmp_path: Path) -> Callable[..., Path]:
    """Factory of an exposure on disk; IFUs of one exposure look at the same sky unless told otherwise."""

    def write(name: str = "exposure.fits", **facts: object) -> Path:
        return write_exposure(factories.make_exposure(**facts), tmp_path / name)

    return write


@pytest.fixture
def pair_of_files(exposure_file: Callable[..., Path]) -> tuple[Path, Path]:
    """Two exposures of IFU 5 of the same stars; the header of the second is off by (0.4, -0.2) arcsec (east, north)."""
    wrong = shift_wcs(factories.make_wcs(rotation_deg=20.0), 0.4, -0.2)
    first = exposure_file("first.fits", ifus=(5,), wcs=factories.make_wcs(rotation_deg=20.0))
    return first, exposure_file("second.fits", ifus=(5,), wcs=wrong, seed=2)
