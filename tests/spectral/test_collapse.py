"""Images collapsed from cubes."""

from __future__ import annotations

import dataclasses

import dask.array as da
import numpy as np
import pytest
from astropy import units as u
from factories import make_cube

from napari_kmos import lazy
from napari_kmos.errors import GeometryError
from napari_kmos.spectral import collapse_mean, collapse_median


@pytest.fixture
def cube():
    """A cube with a dead spaxel, dead planes and single bad voxels."""
    cube = make_cube(shape=(41, 9, 12), sigma=2.0)
    flux = np.array(cube.flux)
    flux[:, 2, 3] = np.nan
    flux[10:14] = np.nan
    flux[20:23, 5, 7] = np.nan
    flux[21, 5, 8] = np.inf
    return dataclasses.replace(cube, flux=flux)


def _lazy(cube):
    arrays = {name: da.from_array(getattr(cube, name), chunks=(5, -1, -1)) for name in ("flux", "noise")}
    return dataclasses.replace(cube, **arrays)


def _reference(function, flux):
    """Collapse spaxel by spaxel."""
    image = np.full(flux.shape[1:], np.nan)
    for where in np.ndindex(image.shape):
        spectrum = flux[:, *where].astype(float)
        if np.isfinite(spectrum).any():
            image[where] = function(spectrum[np.isfinite(spectrum)])
    return image


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(("collapsed", "function"), [(collapse_median, np.median), (collapse_mean, np.mean)])
def test_what_is_no_data_is_ignored(cube, lazy, collapsed, function):
    image = collapsed(_lazy(cube) if lazy else cube)
    assert image.data == pytest.approx(_reference(function, cube.flux), rel=1e-6, nan_ok=True)
    assert np.isnan(image.data[2, 3])
    assert np.isnan(image.data).sum() == 1
    assert (image.name, image.ifu, image.unit, image.wcs) == (cube.name, cube.ifu, cube.unit, cube.wcs)


@pytest.mark.parametrize("collapsed", [collapse_median, collapse_mean])
@pytest.mark.parametrize("window", [[2.0, 2.1] * u.um, [2.1, 2.0] * u.um, [20000, 21000] * u.AA])
def test_window_limits_the_planes(cube, collapsed, window):
    inside = (cube.wavelength_um >= 2.0) & (cube.wavelength_um <= 2.1)
    part = dataclasses.replace(
        cube, flux=cube.flux[inside], noise=cube.noise[inside], wavelength=cube.wavelength[inside]
    )
    assert np.array_equal(collapsed(cube, window=window).data, collapsed(part).data, equal_nan=True)


def test_window_without_a_plane_is_told(cube):
    with pytest.raises(GeometryError, match=r"no plane between 1.4000 and 1.5000 um; the cube covers 1.9250"):
        collapse_mean(cube, window=[1.4, 1.5] * u.um)


def test_noise_of_the_mean(cube):
    """Independent planes of sigma 2, of which 37 have data; where one plane's noise is missing it is taken as usual."""
    noise = np.array(cube.noise)
    noise[3, 6, 6] = np.nan
    image = collapse_mean(dataclasses.replace(cube, noise=noise))
    assert image.noise[6, 6] == image.noise[4, 4] == pytest.approx(2 / np.sqrt(37))
    assert image.noise[5, 7] == pytest.approx(2 / np.sqrt(34))
    assert np.isnan(image.noise[2, 3])
    assert collapse_mean(dataclasses.replace(cube, noise=None)).noise is None


@pytest.mark.parametrize("collapsed", [collapse_median, collapse_mean])
def test_large_cubes_are_never_held_whole(cube, collapsed, monkeypatch):
    """With a limit of 3 kB every piece read is that small, whatever the cube."""
    largest = []

    class Watched:
        shape, ndim, dtype = cube.shape, 3, np.dtype(np.float32)

        def __getitem__(self, key):
            piece = cube.flux[key]
            largest.append(piece.nbytes)
            return piece

    monkeypatch.setattr(lazy, "BLOCK_BYTES", 3000)
    image = collapsed(dataclasses.replace(cube, flux=Watched(), noise=None))
    assert np.array_equal(image.data, collapsed(cube).data, equal_nan=True)
    assert max(largest) <= 3000
