"""Cubes of every layout, compression and kind of axis come out alike: ascending micron, (wavelength, y, x), 1 sigma."""

from __future__ import annotations

import warnings
from pathlib import Path

import foreign_files
import numpy as np
import pytest

from napari_kmos.errors import KmosWarning
from napari_kmos.io import read_cube


@pytest.mark.parametrize("compression", ["none", "gz", "fz"])
@pytest.mark.parametrize("axis", foreign_files.AXES)
@pytest.mark.parametrize("layout", foreign_files.LAYOUTS)
def test_the_readers_matrix(tmp_path: Path, layout: str, compression: str, axis: str) -> None:
    """Planes, spectra and everything between are the truth that was written; only compression has something to say."""
    path, truth = foreign_files.write_foreign(tmp_path, layout, compression, axis)
    with warnings.catch_warnings():
        if compression != "none":
            warnings.filterwarnings("ignore", "(?s).*is compressed", KmosWarning)
        cube = read_cube(path)
        whole = [None if array is None else array.compute() for array in (cube.flux, cube.noise)]
        spectrum, planes = cube.flux[:, 1:3, 2].compute(), cube.flux[2:4].compute()

    np.testing.assert_array_equal(whole[0], truth.flux)
    np.testing.assert_array_equal(spectrum, truth.flux[:, 1:3, 2])
    np.testing.assert_array_equal(planes, truth.flux[2:4])
    assert (whole[1] is None) is (truth.noise is None)
    if truth.noise is not None:
        # A variance in float32 and its root: three roundings of 6e-8.
        np.testing.assert_allclose(whole[1], truth.noise, rtol=3e-7)
    np.testing.assert_allclose(cube.wavelength_um, truth.wavelength_um, rtol=1e-12)
    assert cube.medium == truth.medium
    assert cube.flux.dtype == np.float32
    assert cube.is_lazy
    # The reference pixel is (y, x) = (1, 2) from zero; y is north, x west.
    ra, dec = cube.wcs.wcs_pix2world([2.0, 2.0], [1.0, 2.0], 0)
    np.testing.assert_allclose(ra, foreign_files.factories.RA, atol=1e-9)
    np.testing.assert_allclose(dec - foreign_files.factories.DEC, [0, 0.2 / 3600], atol=1e-9)
