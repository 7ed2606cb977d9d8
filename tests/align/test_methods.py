"""Offsets of exposures are found, or said not to be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from napari_kmos.align import OFFSET_METHODS, AlignParameters, measure_offset, measure_offsets, white_light
from napari_kmos.errors import AlignmentError, KmosError

SPAXEL = 0.2
#: Correction, dither, rotation, seeing and throughput of each exposure.
EXPOSURES = (
    {"error": (0.0, 0.0), "fwhm": 0.70, "gain": 1.00},
    {"error": (0.21, -0.34), "fwhm": 0.62, "gain": 0.91, "dither": (0.3, -0.1)},
    {"error": (-0.27, 0.11), "fwhm": 0.84, "gain": 1.08, "dither": (-0.2, 0.3)},
    {"error": (0.09, 0.43), "fwhm": 0.74, "gain": 1.11, "rotation": 25.0},
    {"error": (-0.38, -0.16), "fwhm": 0.66, "gain": 0.95, "rotation": -70.0, "dither": (0.1, 0.2)},
)


def truth(reference=0):
    errors = np.array([exposure["error"] for exposure in EXPOSURES])
    return errors - errors[reference]


def values(offsets):
    return np.array([(one.dra_arcsec, one.ddec_arcsec) for one in offsets])


@pytest.mark.parametrize("reference", [0, 2])
def test_crowded_exposures_fall_on_each_other(make_field, reference):
    distances, errors = [], []
    for seed in range(3):
        cubes = [make_field(seed, 80).expose(**exposure) for exposure in EXPOSURES]
        cubes[1].flux[:, 0] = np.nan
        offsets = measure_offsets(cubes, reference=reference)
        assert all(one.accepted for one in offsets)
        assert [one.exposure for one in offsets] == [0, 1, 2, 3, 4]
        assert offsets[reference].note == "reference"
        moved = [number for number in range(5) if number != reference]
        distances.append(np.hypot(*(values(offsets) - truth(reference)).T)[moved])
        errors.append([offsets[number].err_arcsec for number in moved])
    # two coordinates of 0.04 spaxels each; a Moffat star is not made sharper or wider by a Gaussian alone
    assert np.median(distances) < 0.08 * SPAXEL
    assert np.max(distances) < 0.3 * SPAXEL
    pull = np.sqrt(np.mean((np.array(distances) / errors) ** 2) / 2)
    assert 0.5 < pull < 1.6


def test_same_seeing_and_no_noise_leave_a_hundredth_of_a_spaxel(make_field):
    field = make_field(4, 60)
    cubes = [field.expose(noise=1e-3), field.expose(noise=1e-3, error=(0.13, -0.27), gain=0.9)]
    found = measure_offsets(cubes)[1]
    # the same stars fall on other places of their spaxels: a cubic spline through 3.5 spaxels a star follows to that
    assert (found.dra_arcsec, found.ddec_arcsec) == pytest.approx((0.13, -0.27), abs=0.02 * SPAXEL)


def test_sum_of_the_others_reaches_further_than_the_reference(make_field):
    field = make_field(11, 40)
    steps = [(0.0, 0.0), (1.0, 0.1), (2.0, -0.2)]  # the last has 4 of 14 columns in common with the first
    errors = [(0.0, 0.0), (0.22, -0.18), (-0.15, 0.2)]
    cubes = [field.expose(dither=step, error=error) for step, error in zip(steps, errors, strict=True)]
    alone = measure_offsets(cubes, parameters=AlignParameters(passes=1))
    chained = measure_offsets(cubes, parameters=AlignParameters(passes=2))
    assert not alone[2].accepted
    assert chained[2].accepted
    assert values(chained)[2] == pytest.approx(errors[2], abs=0.3 * SPAXEL)


def test_other_field_is_not_matched(make_field):
    wrong = 0
    for seed in range(6):
        here, there = make_field(seed, 60).expose(), make_field(seed + 100, 60).expose()
        offset = measure_offsets([here, there])[1]
        wrong += offset.accepted
        assert offset.note
    assert wrong == 0


@pytest.mark.parametrize("what", ["empty sky", "no data"])
def test_nothing_to_match(make_field, what):
    field = make_field(1, 60)
    blank = make_field(2, 0).expose()
    if what == "no data":
        blank.flux[:] = np.nan
    found = measure_offsets([field.expose(), blank])[1]
    assert not found.accepted
    assert found.note.startswith("no match: ")
    assert found.err_arcsec > 0


def test_reference_without_data(make_field):
    blank = dataclasses.replace(make_field(2, 0).expose(), source="a.fits[IFU.5.DATA]")
    blank.flux[:] = np.nan
    with pytest.raises(AlignmentError, match=r"a\.fits\[IFU\.5\.DATA\]: the reference exposure has no data"):
        measure_offsets([blank, make_field(1, 60).expose()])


def test_headers_taken_as_they_are(make_field):
    offsets = measure_offsets([make_field(1, 9).expose(ifu=7)] * 2, method="header")
    assert [(o.dra_arcsec, o.ddec_arcsec, o.err_arcsec, o.method, o.accepted, o.ifu) for o in offsets] == [
        (0, 0, 0.25, "header", True, 7)
    ] * 2


@pytest.mark.parametrize("method", OFFSET_METHODS)
def test_every_method_has_a_row_an_exposure_and_works_on_lazy_cubes(make_field, method):
    import dask.array as da

    field = make_field(5, 60)
    cubes = [field.expose(), field.expose(error=(0.1, 0.2))]
    lazy = [dataclasses.replace(c, flux=da.from_array(c.flux), noise=da.from_array(c.noise)) for c in cubes]
    told = []
    chosen = {"method": method, "reference": field.catalogue() if method == "catalogue" else 0}
    offsets = measure_offsets(cubes, **chosen, progress=lambda *what: told.append(what))
    assert offsets == measure_offsets(lazy, **chosen)
    assert [one.exposure for one in offsets] == [0, 1]
    assert {one.method for one in offsets} == {method}
    assert not told or told[-1][:2] == (2, 2)


def test_images_without_noise_can_be_matched(make_field):
    field = make_field(6, 60)
    images = [white_light(field.expose()), white_light(field.expose(error=(0.1, 0.2)))]
    found = measure_offset(*(dataclasses.replace(image, noise=None) for image in images))
    assert (found.dra_arcsec, found.ddec_arcsec) == pytest.approx((0.1, 0.2), abs=0.1 * SPAXEL)


def test_white_light_ignores_lines_and_knows_its_noise(make_field):
    field = make_field(7, 0)
    cube = field.expose(noise=0.5)
    cube.flux[3] += 1000
    image = white_light(cube)
    assert np.std(image.data) == pytest.approx(float(image.noise[0, 0]), rel=0.15)  # 182 spaxels: 5 %, few planes


def test_bad_choices(make_field):
    cube = make_field(1, 3).expose()
    with pytest.raises(AlignmentError, match="method 'magic' does not exist; there are header, correlation"):
        measure_offsets([cube], method="magic")
    with pytest.raises(AlignmentError, match="reference exposure 1 does not exist: there are 1"):
        measure_offsets([cube], reference=1)
    with pytest.raises(KmosError, match="passes is 0, expected one or more"):
        AlignParameters(passes=0)
