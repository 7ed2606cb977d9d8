"""Footprints: which pixels of a mosaic a field covers, and cubes that keep every value, NaN beyond the edge."""

from __future__ import annotations

import dataclasses
import itertools

import dask.array as da
import factories
import numpy as np
import pytest

from napari_kmos.errors import GeometryError
from napari_kmos.spatial.footprints import Footprint, cut_out, footprint_between, footprint_of, hull
from napari_kmos.spatial.wcs import pixel_to_pixel, pixel_to_sky, window_wcs


def _mosaic(*, lazy: bool, shape=(9, 40, 50)):
    rng = np.random.default_rng(5)
    arrays = {"flux": rng.normal(size=shape).astype("f4"), "noise": rng.uniform(1, 2, shape).astype("f4")}
    if lazy:
        arrays = {name: da.from_array(array, chunks=(2, -1, -1)) for name, array in arrays.items()}
    cube = factories.make_cube(shape=shape, wcs=factories.make_wcs(rotation_deg=105, scale_arcsec=0.1))
    return dataclasses.replace(cube, ifu=None, **arrays)


@pytest.mark.parametrize("lazy", [False, True])
def test_cut_out_and_put_back_is_exact(lazy: bool):
    mosaic = _mosaic(lazy=lazy)
    back = {name: np.full(mosaic.shape, np.nan, dtype=np.float32) for name in ("flux", "noise")}
    corners = itertools.product(range(-3, 40, 14), range(-5, 50, 17))  # beyond all four edges
    for y, x in corners:
        part = cut_out(mosaic, Footprint(y, x, 14, 17))
        assert part.shape == (9, 14, 17)
        assert part.is_lazy is lazy
        assert pixel_to_sky(part.wcs, 2, 3) == pytest.approx(pixel_to_sky(mosaic.wcs, y + 2, x + 3), abs=1e-12)
        rows, columns = np.arange(y, y + 14), np.arange(x, x + 17)
        inside = np.ix_((rows >= 0) & (rows < 40), (columns >= 0) & (columns < 50))
        where = np.ix_(np.clip(rows, 0, 39)[inside[0].ravel()], np.clip(columns, 0, 49)[inside[1].ravel()])
        for name, array in back.items():
            values = np.asarray(getattr(part, name))
            assert np.isnan(values).sum() == 9 * (14 * 17 - inside[0].size * inside[1].size)
            array[(slice(None), *where)] = values[(slice(None), *inside)]
    for name, array in back.items():
        np.testing.assert_array_equal(array, np.asarray(getattr(mosaic, name)))


def test_pieces_of_a_lazy_cut_are_those_of_the_whole():
    mosaic = _mosaic(lazy=True)
    part = cut_out(mosaic, Footprint(-2, 45, 10, 9)).flux
    whole = part.compute()
    for key in (np.s_[3], np.s_[2:5, 1:4], np.s_[-1], np.s_[[1, 5]], np.s_[:, 4, 3], np.s_[4, :, 2:]):
        np.testing.assert_array_equal(part[key].compute(), whole[key])


class _Watched:
    """An array that keeps what was asked of it."""

    shape, dtype, ndim = (8, 400, 500), np.dtype("f4"), 3

    def __init__(self):
        self.asked = []

    def __getitem__(self, key):
        self.asked.append(key)
        return np.zeros([len(range(*one.indices(n))) for one, n in zip(key, self.shape, strict=True)], "f4")


def test_a_large_file_is_not_read_beyond_the_footprint():
    watched = _Watched()
    lazy = da.from_array(watched, chunks=(2, -1, -1), meta=np.empty((0, 0, 0), "f4"))
    mosaic = factories.make_cube(shape=(8, 4, 5))
    wide = dataclasses.replace(mosaic, flux=lazy, noise=None)
    assert cut_out(wide, Footprint(390, -4, 28, 27)).flux.compute().shape == (8, 28, 27)
    assert watched.asked
    assert all(key[1:] == (slice(390, 400), slice(0, 23)) for key in watched.asked)


@pytest.mark.parametrize("place", [(40, 3), (3, 50), (-14, 3), (3, -17)])
def test_a_footprint_outside_is_told(place: tuple[int, int]):
    with pytest.raises(GeometryError, match="nothing of it is left by the cut; it has 40 rows and 50 columns"):
        cut_out(_mosaic(lazy=True), Footprint(*place, 14, 17))
    with pytest.raises(GeometryError, match="0 rows and 3 columns"):
        Footprint(1, 2, 0, 3)


def test_a_field_of_the_same_pixels_covers_them_and_no_more():
    wcs = factories.make_wcs(rotation_deg=105, scale_arcsec=0.1)
    assert footprint_of((window_wcs(wcs, -4, 7), (28, 27)), wcs) == Footprint(-4, 7, 28, 27)
    assert footprint_of((window_wcs(wcs, 4.2, 7.5), (28, 27)), wcs) == Footprint(4, 7, 29, 28)
    assert footprint_of((window_wcs(wcs, 4.004, 6.996), (28, 27)), wcs) == Footprint(4, 7, 28, 27)
    assert footprint_of((window_wcs(wcs, 4, 8, zoom=2.0), (14, 13)), wcs) == Footprint(4, 8, 28, 26)


def test_a_turned_field_lies_within_its_footprint_and_touches_all_sides():
    wcs = factories.make_wcs(scale_arcsec=0.1)
    field = factories.make_wcs(rotation_deg=25.0), (13, 15)
    box = footprint_of(field, wcs)
    y, x = pixel_to_pixel(field[0], wcs, *np.indices((14, 16)) - 0.5)
    assert (np.floor(y.min() + 0.5), np.floor(x.min() + 0.5)) == (box.y, box.x)
    assert (np.ceil(y.max() + 0.5), np.ceil(x.max() + 0.5)) == (box.y + box.n_y, box.x + box.n_x)


def test_a_field_on_the_far_side_has_none():
    far = factories.make_wcs(ra=factories.RA - 180, dec=-factories.DEC)
    assert footprint_of((far, (14, 13)), factories.make_wcs()) is None


def test_the_hull_holds_all():
    assert hull([Footprint(2, 3, 4, 5), Footprint(-1, 4, 2, 9)]) == Footprint(-1, 3, 7, 10)
    assert footprint_between((-0.5, -0.5), (0.5, 1.5)) == Footprint(0, 0, 1, 2)
