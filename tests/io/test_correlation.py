"""The correlation of the noise is written beside the cube and read back; what cannot be one is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits

from napari_kmos.cube import Cube
from napari_kmos.errors import GeometryError, NotKmosError
from napari_kmos.io import read_cube, read_exposure, read_images, write_cube, write_exposure
from napari_kmos.spatial.wcs import make_wcs

SHAPE = (5, 6, 7)
KERNEL = np.array([[0.0, -0.1, 0.05], [0.25, 1.0, 0.25], [0.05, -0.1, 0.0]])


def make_cube(**facts: object) -> Cube:
    flux = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    wave = np.linspace(1.95, 2.45, SHAPE[0]) * u.um
    return Cube(
        flux=flux, noise=np.abs(flux) + 1, wavelength=wave, wcs=make_wcs(266, -29, crpix=(4, 3)), name="GC", **facts
    )


@pytest.mark.parametrize("copied", [False, True], ids=["cube", "exposure"])
def test_correlation_comes_back(tmp_path: Path, copied: bool) -> None:
    path = write_cube(make_cube(correlation=KERNEL), tmp_path / "cube.fits")
    if copied:
        path = write_exposure(read_exposure(path), tmp_path / "copy.fits")
    with fits.open(path, checksum=True) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "GC.DATA", "GC.NOISE", "GC.CORRELATION"]
        assert all("CHECKSUM" in hdu.header for hdu in hdus)
    cube = read_cube(path)
    # written in float32; a zero is a number here, not no data
    np.testing.assert_allclose(cube.correlation, KERNEL, rtol=1e-7)
    np.testing.assert_array_equal(np.asarray(cube.flux), make_cube().flux)
    assert read_exposure(path).unused == ()


def test_without_there_is_none(tmp_path: Path) -> None:
    assert read_cube(write_cube(make_cube(), tmp_path / "cube.fits")).correlation is None


@pytest.mark.parametrize("shape", [(2, 2), (3, 5)])
def test_of_another_shape_it_is_left_out_and_named(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = write_cube(make_cube(), tmp_path / "cube.fits")
    fits.append(path, np.ones(shape, dtype=np.float32), fits.Header([("EXTNAME", "GC.CORRELATION")]))
    exposure = read_exposure(path)
    assert exposure.cubes[0].correlation is None
    assert exposure.unused == (("GC.CORRELATION", f"has shape {shape}; expected a square of odd size"),)


def test_it_is_no_image_of_the_sky(tmp_path: Path) -> None:
    path = write_cube(make_cube(correlation=KERNEL), tmp_path / "cube.fits")
    with pytest.raises(NotKmosError, match="no image in it"):
        read_images(path)


@pytest.mark.parametrize("shape", [(2, 2), (3, 5), (3,)])
def test_a_cube_takes_squares_of_odd_size(shape: tuple[int, ...]) -> None:
    with pytest.raises(GeometryError, match="expected as many rows as columns, an odd number"):
        make_cube(correlation=np.ones(shape))
