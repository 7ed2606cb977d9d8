"""Cubes cut out of cubes: every spaxel keeps its wavelength, its place on the sky, its flux and its noise."""

from __future__ import annotations

import dataclasses
import itertools

import dask.array as da
import factories
import numpy as np
import pytest

from napari_kmos.errors import GeometryError, KmosError
from napari_kmos.spatial.crop import SkyBox, crop_cube, spaxels_in
from napari_kmos.spatial.wcs import offset_arcsec, pixel_to_sky, sky_to_pixel


@pytest.mark.parametrize("lazy", [False, True])
def test_what_is_cut_out_stays_where_and_what_it_was(lazy: bool):
    whole = factories.make_cube(wcs=factories.make_wcs(rotation_deg=25.0))
    noise = np.random.default_rng(3).uniform(1, 2, whole.shape).astype(np.float32)
    cube = dataclasses.replace(whole, noise=noise)
    if lazy:
        arrays = {name: da.from_array(getattr(cube, name), chunks=(7, -1, -1)) for name in ("flux", "noise")}
        cube = dataclasses.replace(cube, **arrays)
    cut = crop_cube(cube, planes=slice(4, 30), rows=slice(2, 9), columns=slice(5, None))
    assert cut.shape == (26, 7, 10)
    assert cut.is_lazy is lazy
    np.testing.assert_array_equal(np.asarray(cut.flux), whole.flux[4:30, 2:9, 5:])
    np.testing.assert_array_equal(np.asarray(cut.noise), noise[4:30, 2:9, 5:])
    np.testing.assert_array_equal(cut.wavelength_um, whole.wavelength_um[4:30])
    assert pixel_to_sky(cut.wcs, 3, 4) == pytest.approx(pixel_to_sky(whole.wcs, 5, 9), abs=1e-12)
    assert (cut.name, cut.ifu, cut.unit) == (whole.name, whole.ifu, whole.unit)
    assert crop_cube(dataclasses.replace(cube, noise=None), rows=slice(3)).noise is None


def test_a_cut_that_leaves_nothing_is_told():
    with pytest.raises(GeometryError, match="nothing of it is left"):
        crop_cube(factories.make_cube(), rows=slice(13, 20))


@pytest.mark.parametrize("rotation_deg", [0.0, 30.0, -100.0])
def test_the_spaxels_of_a_box_hold_it_and_no_row_too_many(rotation_deg: float):
    cube = factories.make_cube(shape=(5, 40, 50), wcs=factories.make_wcs(rotation_deg=rotation_deg))
    ra, dec = pixel_to_sky(cube.wcs, 17.3, 26.1)
    box = SkyBox(ra=ra, dec=dec, width_arcsec=1.7, height_arcsec=0.9)
    rows, columns = spaxels_in(cube, box)
    y, x = np.indices(cube.shape[1:])
    fine = [offset_arcsec(ra, dec, *pixel_to_sky(cube.wcs, y + dy, x + dx)) for dy, dx in _inside_a_spaxel()]
    touched = np.any([(np.abs(east) < 0.85) & (np.abs(north) < 0.45) for east, north in fine], axis=0)
    found = np.nonzero(touched)
    assert [(part.min(), part.max() + 1) for part in found] == [
        (rows.start, rows.stop),
        (columns.start, columns.stop),
    ]


def _inside_a_spaxel():
    steps = np.linspace(-0.49, 0.49, 15)
    return itertools.product(steps, steps)


def test_a_box_over_the_edge_ends_there_and_one_as_large_as_a_spaxel_is_one():
    cube = factories.make_cube()
    edge = SkyBox(**_place(cube, 0, 14), width_arcsec=2.0, height_arcsec=1.0)
    assert spaxels_in(cube, edge) == (slice(0, 3), slice(9, 15))
    one = SkyBox(**_place(cube, 6, 7), width_arcsec=0.2, height_arcsec=0.2)
    assert spaxels_in(cube, one) == (slice(6, 7), slice(7, 8))
    point = SkyBox(**_place(cube, 6.4951, 7), width_arcsec=1e-6, height_arcsec=1e-6)
    assert spaxels_in(cube, point) in ((slice(6, 7), slice(7, 8)), (slice(7, 8), slice(7, 8)))


def _place(cube, y: float, x: float) -> dict[str, float]:
    ra, dec = pixel_to_sky(cube.wcs, y, x)
    assert sky_to_pixel(cube.wcs, ra, dec) == pytest.approx((y, x), abs=1e-6)
    return {"ra": ra, "dec": dec}


@pytest.mark.parametrize("place", [(factories.RA + 0.1, factories.DEC), (factories.RA - 180, -factories.DEC)])
def test_a_box_elsewhere_is_told(place: tuple[float, float]):
    with pytest.raises(GeometryError, match="lies outside it"):
        spaxels_in(factories.make_cube(), SkyBox(ra=place[0], dec=place[1], width_arcsec=3, height_arcsec=2))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [({"dec": 91.0}, "expected RA and Dec"), ({"ra": np.nan}, "expected RA and Dec"), ({"width_arcsec": 0}, "0 x 2")],
)
def test_a_box_that_makes_no_sense_is_told(wrong: dict[str, float], match: str):
    with pytest.raises(KmosError, match=match):
        SkyBox(**{"ra": 1.0, "dec": 2.0, "width_arcsec": 3, "height_arcsec": 2, **wrong})
