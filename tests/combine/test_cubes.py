"""Combination of cubes: stars keep flux and place, noise is right, blocks and laziness change nothing."""

from __future__ import annotations

import dataclasses
import logging
import pickle

import dask.array as da
import numpy as np
import pytest
from astropy import units as u
from factories import DEC, RA, make_cube, star_image

from napari_kmos.combine import COMBINE_METHODS, CombineParameters, combine_cubes, methods, stack
from napari_kmos.combine.cubes import _common_grid
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import AlignmentError, GeometryError, KmosError, KmosWarning
from napari_kmos.offset import Offset
from napari_kmos.spatial.centroid import fit_centroid
from napari_kmos.spatial.wcs import make_wcs, pixel_to_pixel, position_angle_deg, shift_wcs, sky_to_pixel

SHAPE = (6, 13, 15)
STAR_FLUX = 700.0
#: Telescope dither (arcsec), rotator (deg) and pointing error (arcsec) of each exposure: nothing is zero or equal.
EXPOSURES = (
    ((0.03, -0.05), 12.0, (0.21, -0.13)),
    ((0.42, 0.21), 12.0, (-0.17, 0.08)),
    ((-0.31, 0.37), 12.0, (0.05, 0.29)),
    ((-0.13, -0.44), 40.0, (0.11, 0.02)),
    ((0.26, -0.18), -55.0, (-0.30, -0.22)),
)


def truth(dither, rotation):
    return shift_wcs(make_wcs(RA, DEC, crpix=(8.0, 7.0), rotation_deg=rotation), *dither)


def offset(number, correction):
    dra, ddec = correction
    return Offset(
        exposure=number, file="", ifu=5, dra_arcsec=dra, ddec_arcsec=ddec, err_arcsec=0, method="truth", accepted=True
    )


def observe(*, sigma=0.0, background=0.0, shape=SHAPE, exposures=EXPOSURES, seed=1):
    """Cubes of one star at (RA, DEC), and the corrections that make their headers right."""
    cubes, offsets = [], []
    for number, (dither, rotation, correction) in enumerate(exposures):
        right = truth(dither, rotation)
        y, x = sky_to_pixel(right, RA, DEC)
        cube = make_cube(
            shape=shape,
            stars=[(y, x, STAR_FLUX)],
            sigma=sigma,
            background=background,
            seed=seed + number,
            wcs=shift_wcs(right, -correction[0], -correction[1]),
        )
        cubes.append(dataclasses.replace(cube, noise=np.full(shape, sigma or 1.0, dtype=np.float32)))
        offsets.append(offset(number, correction))
    return cubes, offsets


def run(cubes, offsets=None, **parameters):
    method = parameters.pop("method", "header" if offsets is None else "user")
    result = combine_cubes(cubes, offsets=offsets, parameters=CombineParameters(method=method, **parameters))
    return result, np.asarray(result.cube.flux), np.asarray(result.cube.noise)


def aperture_sum(plane, y, x, radius=4.5):
    """Sum within a radius; the edge is where a star of 3 spaxels FWHM has faded to 0.2 %."""
    rows, columns = np.indices(plane.shape)
    return np.nansum(plane[np.hypot(rows - y, columns - x) < radius])


@pytest.mark.parametrize("cmethod", [name for name in COMBINE_METHODS if name != "sum"])
@pytest.mark.parametrize("pix_scale", [None, 0.1])
def test_star_keeps_flux_and_place_through_dither_rotation_and_correction(cmethod, pix_scale):
    cubes, offsets = observe()
    result, flux, _ = run(cubes, offsets, cmethod=cmethod, pix_scale=pix_scale)
    y, x = sky_to_pixel(result.cube.wcs, RA, DEC)
    zoom = 0.2 / pixel_scale_arcsec(result.cube.wcs)
    found = fit_centroid(flux[2], start=(y, x), radius_pix=4 * zoom)
    assert (found.y, found.x) == (pytest.approx(y, abs=0.02), pytest.approx(x, abs=0.02))
    expected = aperture_sum(star_image(flux.shape[1:], [(y, x, STAR_FLUX)], 3 * zoom), y, x, 4.5 * zoom)
    assert aperture_sum(flux[2], y, x, 4.5 * zoom) == pytest.approx(expected, rel=0.005)
    assert found.fwhm_pix == pytest.approx(3 * zoom, rel=0.01)


def test_grid_is_the_corrected_first_exposure():
    cubes, offsets = observe()
    result, _, _ = run(cubes, offsets)
    assert position_angle_deg(result.cube.wcs) == pytest.approx(12)
    y, x = pixel_to_pixel(result.cube.wcs, truth(*EXPOSURES[0][:2]), 3.0, 4.0)
    # 0.3 arcsec of correction over a field of 3 arcsec: nothing to be seen but whole spaxels
    assert (y, x) == (pytest.approx(round(y), abs=1e-5), pytest.approx(round(x), abs=1e-5))


@pytest.mark.parametrize("cmethod", COMBINE_METHODS)
@pytest.mark.parametrize("pix_scale", [None, 0.1])
def test_predicted_noise_is_the_scatter(cmethod, pix_scale):
    # planes of constant sky: their scatter is the noise; 400 planes tell it to 4 % a spaxel
    cubes, offsets = observe(sigma=3.0, background=50.0, shape=(400, 13, 15))
    cubes = [dataclasses.replace(cube, flux=cube.flux - cube.flux.mean(axis=0)) for cube in cubes]
    result, flux, noise = run(cubes, offsets, cmethod=cmethod, pix_scale=pix_scale)
    full = result.exposure_map.data == result.n_overlapping
    ratio = flux[:, full].std(axis=0) / np.sqrt(np.mean(noise[:, full] ** 2, axis=0))
    assert np.median(ratio) == pytest.approx(1, abs=0.05)
    assert 0.9 < np.percentile(ratio, 10) < np.percentile(ratio, 90) < 1.1


def test_single_exposure_is_left_as_it_is():
    cube = make_cube()
    flux = cube.flux.copy()
    flux[:, 2, 3] = np.nan
    flux[5] = np.nan
    result, combined, noise = run([dataclasses.replace(cube, flux=flux)])
    np.testing.assert_allclose(combined, flux, rtol=1e-5)
    np.testing.assert_array_equal(np.isnan(noise), np.isnan(flux))
    assert result.exposure_map.data[2, 3] == 0
    assert result.exposure_map.data.sum() == 13 * 15 - 1
    assert (result.cube.name, result.cube.ifu, result.cube.unit) == (cube.name, cube.ifu, cube.unit)
    np.testing.assert_array_equal(result.cube.wavelength_um, cube.wavelength_um)


def test_outlier_is_rejected_and_hole_is_filled_by_the_others():
    cubes, offsets = observe(sigma=1.0, background=20.0)
    cubes[1].flux[3, 6, 7] += 5000
    cubes[2].flux[:, 6, 7] = np.nan
    clean, before, _ = run(cubes, offsets, cmethod="median")
    _, after, noise = run(cubes, offsets, cmethod="ksigma")
    assert np.nanmax(np.abs(after - before)) < 10
    assert not np.isnan(noise[clean.cube.flux.compute() > 0]).any()


def test_cubes_without_data_are_refused_and_one_among_others_is_named():
    empty = make_cube(source="dead.fits[IFU.5.DATA]")
    empty.flux[:, :, :] = np.nan
    with pytest.raises(GeometryError, match=r"no data in dead\.fits\[IFU\.5\.DATA\]: all values are NaN"):
        run([empty])
    with pytest.warns(KmosWarning, match=r"no data in dead\.fits"):
        result, flux, _ = run([make_cube(), empty])
    assert result.exposure_map.data.max() == 1
    assert np.isfinite(flux).all()


def test_exposure_map_counts_what_was_seen_in_any_plane():
    first, second = make_cube(), make_cube(seed=2)
    second.flux[:, 4] = np.nan
    second.flux[:30, 5] = np.nan
    first.flux[::2, 6] = np.nan
    result, _, _ = run([first, second])
    np.testing.assert_array_equal(result.exposure_map.data[3:7, 5], [2, 1, 2, 2])


@pytest.mark.parametrize("cmethod", COMBINE_METHODS)
def test_blocks_and_laziness_change_nothing(cmethod, monkeypatch):
    cubes, offsets = observe(sigma=1.0, shape=(17, 13, 15))
    _, flux, noise = run(cubes, offsets, cmethod=cmethod)
    monkeypatch.setattr(stack, "_BLOCK_BYTES", 200_000)
    monkeypatch.setattr(stack, "_STACK_BYTES", 1)
    monkeypatch.setattr(methods, "_VALUES_AT_ONCE", 500)
    lazy = [
        dataclasses.replace(cube, flux=da.from_array(cube.flux, chunks=(5, -1, -1)), noise=da.from_array(cube.noise))
        for cube in cubes
    ]
    result, lazy_flux, lazy_noise = run(lazy, offsets, cmethod=cmethod)
    assert result.cube.is_lazy
    assert result.cube.flux.numblocks[0] > 2
    assert result.cube.flux.dtype == np.float32
    np.testing.assert_allclose(lazy_flux, flux, rtol=1e-6)
    np.testing.assert_allclose(lazy_noise, noise, rtol=1e-6)


def test_flux_and_noise_of_a_block_come_from_one_task(monkeypatch):
    calls = []
    merge = stack.Stack.combine
    monkeypatch.setattr(stack.Stack, "combine", lambda self, *planes: calls.append(planes) or merge(self, *planes))
    result = combine_cubes([make_cube()])
    da.compute(result.cube.flux, result.cube.noise)
    assert calls == [(0, 40)]


def test_stack_travels_to_another_process():
    cubes, offsets = observe(sigma=1.0)
    result, flux, _ = run(cubes, offsets)
    there = pickle.loads(pickle.dumps(result.cube.flux.__dask_graph__().to_dict()))
    assert there
    np.testing.assert_array_equal(flux, np.asarray(pickle.loads(pickle.dumps(result.cube)).flux))


def test_fields_side_by_side_share_the_levels_of_the_stack():
    wcs = make_wcs(RA, DEC, crpix=(8, 7))
    cubes = [
        make_cube(shape=SHAPE, wcs=shift_wcs(wcs, 2.6 * column, 2.2 * row + 0.1 * column), ifu=1 + row * 4 + column)
        for row in range(3)
        for column in range(4)
    ]
    arrays = [(cube.flux, cube.noise) for cube in cubes]
    parameters = CombineParameters()
    _, shape, resamplers = _common_grid(cubes, [cube.wcs for cube in cubes], parameters)
    made = stack.make_stack(arrays, resamplers, (6, *shape), parameters)
    assert made.n_levels <= 4
    result, flux, _ = run(cubes, cmethod="average")
    assert result.cube.ifu is None
    counts = np.zeros(shape, dtype=int)
    for resampler in resamplers:
        counts[resampler.window] += resampler.inside
    np.testing.assert_array_equal(result.exposure_map.data, counts)
    np.testing.assert_array_equal(np.isfinite(flux[0]), counts > 0)


def test_none_puts_spaxel_on_spaxel():
    first = make_cube(sigma=0)
    second = make_cube(sigma=0, wcs=shift_wcs(first.wcs, 3, 3), shape=(40, 12, 16))
    known = [dataclasses.replace(cube, noise=np.ones(cube.shape, dtype=np.float32)) for cube in (first, second)]
    result, flux, _ = run(known, method="none", cmethod="average")
    assert flux.shape == (40, 13, 16)
    np.testing.assert_allclose(flux[0, :12, :15], first.flux[0, :12], rtol=1e-4)
    assert result.wcs[1] is first.wcs


def test_center_lays_star_on_star():
    cubes, _ = observe()
    result, flux, _ = run(cubes, method="center")
    first = fit_centroid(cubes[0].flux[0])
    y, x = pixel_to_pixel(cubes[0].wcs, result.cube.wcs, first.y, first.x)
    found = fit_centroid(flux[0])
    assert (found.y, found.x) == (pytest.approx(y, abs=0.02), pytest.approx(x, abs=0.02))
    assert found.fwhm_pix == pytest.approx(3, rel=0.01)


def test_center_without_a_star():
    cubes = [make_cube(stars=[], sigma=0, source="b.fits[IFU.5.DATA]")]
    with pytest.raises(AlignmentError, match=r"b\.fits\[IFU\.5\.DATA\]: no star to centre on.*another --method"):
        run(cubes, method="center")


def test_swapped_arms_forget_the_arm():
    header = make_cube().header
    header["HIERARCH ESO OCS ARM3 NAME"] = "target"
    header["HIERARCH ESO PRO IFUNR"] = 3
    result, _, _ = run([make_cube(ifu=3, header=header), make_cube(ifu=9)])
    assert result.cube.ifu is None
    assert "ESO PRO IFUNR" not in result.cube.header
    assert "ESO OCS ARM3 NAME" not in result.cube.header
    assert result.cube.header["ESO PRO DATANCOM"] == 2


def test_missing_noise_is_estimated_and_said():
    rough = dataclasses.replace(make_cube(), noise=None)
    result, _, noise = run([rough, make_cube(seed=2)], cmethod="average")
    assert result.cube.noise_estimated
    # the estimate from 78 spaxels is good to 8 %, the photon term adds a little on the stars
    assert np.median(noise) == pytest.approx(np.sqrt(2) / 2, rel=0.1)


def test_exposure_times_are_those_of_one_or_of_all():
    cubes = [make_cube(exptime=100.0), make_cube(exptime=100.0)]
    assert combine_cubes(cubes).cube.exptime == 100
    assert combine_cubes(cubes, parameters=CombineParameters(cmethod="sum")).cube.exptime == 200


def test_other_wavelengths_and_units_are_refused():
    with pytest.raises(
        GeometryError, match=r"wavelength grids differ: 40 planes 1\.925.*vacuum in .*, but 40 planes 1\.425"
    ):
        combine_cubes([make_cube(), make_cube(band="H")])
    with pytest.raises(GeometryError, match="wavelength grids differ"):
        combine_cubes([make_cube(), make_cube(shape=(39, 13, 15))])
    with pytest.raises(GeometryError, match=r"units differ: adu / s in .* and erg"):
        combine_cubes([make_cube(), make_cube(unit=u.erg / u.s)])
    with pytest.warns(KmosWarning, match="the unit of 1 of 2 cubes is unknown: taken to be adu / s"):
        combine_cubes([make_cube(unit=None), make_cube()])
    with pytest.raises(GeometryError, match="no cube to combine"):
        combine_cubes([])


def test_offsets_belong_to_method_user_and_to_every_exposure():
    cubes, offsets = observe()
    with pytest.raises(AlignmentError, match="needs one offset for each of the 5 exposures, found none"):
        run(cubes, method="user")
    with pytest.raises(AlignmentError, match="found 2"):
        run(cubes, offsets[:2], method="user")
    with pytest.raises(AlignmentError, match="method header does not use them"):
        run(cubes, offsets, method="header")


def test_scattered_fields_are_warned_of():
    wcs = make_wcs(RA, DEC, crpix=(8, 7))
    with pytest.warns(KmosWarning, match="the fields fill 1.1% of a grid of 2.* x 1.* spaxels"):
        combine_cubes([make_cube(shape=SHAPE, wcs=wcs), make_cube(shape=SHAPE, wcs=shift_wcs(wcs, 40, 30))])


def test_min_max_of_too_few_exposures():
    with pytest.raises(KmosError, match=r"drops 2 values .* but 2 exposures overlap"):
        run([make_cube(), make_cube(seed=2)], cmethod="min_max")


def test_few_exposures_are_said_to_reject_nothing(caplog):
    with caplog.at_level(logging.INFO, logger="napari_kmos"):
        combine_cubes([make_cube(), make_cube(seed=2)])
    assert "2 exposures overlap at most" in caplog.text


def test_image_is_the_median_over_wavelength():
    cubes, offsets = observe()
    result, flux, _ = run(cubes, offsets)
    np.testing.assert_allclose(result.image.data, np.median(flux, axis=0), rtol=1e-6)
