"""A pair of images: evidence, runner-up, and what is no match."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from factories import DEC, RA, make_wcs

from napari_kmos.align import AlignParameters, measure_offset, white_light
from napari_kmos.align.network import Network
from napari_kmos.align.together import _against_sum, _why_not, measure_together
from napari_kmos.cube import Image
from napari_kmos.progress import Cancelled
from napari_kmos.simulate.psf import moffat_images
from napari_kmos.spatial.resample import make_resampler
from napari_kmos.spatial.wcs import image_grid
from napari_kmos.spatial.wcs import make_wcs as make_sky_wcs

ERROR = (0.31, -0.22)
SPAXEL = 0.2


def stars(places, *, seed, fwhm=3.5):
    """Image of stars (y, x, flux) with noise of 1."""
    y, x, flux = np.array(places).T
    data = np.tensordot(flux, moffat_images(y, x, (13, 15), fwhm_pix=fwhm), 1)
    data += np.random.default_rng(seed).standard_normal(data.shape)
    return Image(data=data, noise=np.ones_like(data), wcs=make_wcs())


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_sharp_image_of_fine_pixels_and_without_noise_of_its_own_is_matched(make_field, noise):
    field = make_field(3, 60)
    y, x = np.indices((130, 150))
    east, north = 0.1 * (74.5 - x), 0.1 * (y - 64.0)
    squared = (east[..., None] - field.east) ** 2 + (north[..., None] - field.north) ** 2
    light = np.exp(-squared / 2 / 0.06**2) @ field.flux + noise * np.random.default_rng(2).standard_normal(x.shape)
    sharp = Image(data=light, wcs=make_sky_wcs(RA, DEC, crpix=(75.5, 65.0), scale_arcsec=0.1))
    found = measure_offset(sharp, white_light(field.expose(error=ERROR, noise=0.1)))
    assert found.accepted
    # stars of 0.14 arcsec would fall between spaxels of 0.2 arcsec; what is left is the shape of the stars
    assert (found.dra_arcsec, found.ddec_arcsec) == pytest.approx(ERROR, abs=0.15 * SPAXEL)


def test_a_match_tells_its_evidence_and_its_runner_up(make_field):
    field = make_field(3, 60)
    found = measure_offset(white_light(field.expose()), white_light(field.expose(error=ERROR)))
    assert found.accepted
    assert (found.dra_arcsec, found.ddec_arcsec) == pytest.approx(ERROR, abs=0.15 * SPAXEL)
    assert found.score > AlignParameters().min_evidence
    assert found.margin > AlignParameters().margin
    assert np.hypot(*np.subtract(found.runner_up, ERROR)) > SPAXEL


def test_a_star_on_a_star_is_no_match():
    """It lies there as well when the field is turned; three stars do not."""
    one, three = [(5.0, 6.0, 3000.0)], [(3.2, 4.1, 3000.0), (8.5, 9.0, 1500.0), (4.0, 10.5, 900.0)]
    moved = [(y + 1.0, x - 0.5, flux) for y, x, flux in three]
    single = measure_offset(stars(one, seed=1), stars([(6.3, 5.2, 3100.0)], seed=2))
    assert not single.accepted
    assert single.note.startswith("no match: turned or mirrored, it matches as well")
    found = measure_offset(stars(three, seed=3), stars(moved, seed=4))
    assert found.accepted
    assert (found.dra_arcsec, found.ddec_arcsec) == pytest.approx((-0.5 * SPAXEL, -SPAXEL), abs=0.1 * SPAXEL)


def test_fields_apart_have_nothing_in_common(make_field):
    image = white_light(make_field(3, 60).expose())
    far = dataclasses.replace(image, wcs=make_wcs(ra=266.43))
    found = measure_offset(far, image)
    assert not found.accepted
    assert "apart" in found.note


@pytest.mark.parametrize(("factor", "has_noise"), [(1e-16, False), (0.25, True)])
def test_a_reference_in_another_unit_or_with_as_much_light_in_finer_pixels(make_field, factor, has_noise):
    field = make_field(3, 60)
    image = white_light(field.expose(noise=0.05))
    wcs, shape = image_grid([(image.wcs, (13, 14))], scale_arcsec=0.1)
    fine = np.full(shape, np.nan)
    resampler = make_resampler(image.wcs, (13, 14), wcs, shape)
    fine[resampler.window] = resampler.apply(image.data[None])[0][0]
    noise = np.full(shape, factor * np.median(image.noise)) if has_noise else None
    reference = Image(data=factor * fine, noise=noise, wcs=wcs, unit=image.unit if has_noise else None)
    found = measure_offset(reference, white_light(field.expose(error=ERROR, noise=0.05)))
    assert found.accepted
    assert (found.dra_arcsec, found.ddec_arcsec) == pytest.approx(ERROR, abs=0.15 * SPAXEL)


def test_an_exposure_of_another_field_does_not_disturb_the_others(make_field):
    field = make_field(5, 60)
    errors = [(0.0, 0.0), (0.2, -0.3), (-0.25, 0.1)]
    images = [white_light(field.expose(error=error)) for error in errors]
    rows = measure_together([*images, white_light(make_field(105, 60).expose())], (0,), AlignParameters())
    assert [row.accepted for row in rows] == [True, True, True, False]
    assert rows[3].note.startswith("no match: ")
    assert rows[1].note.startswith("2 of 2 pairs agree")
    for row, error in zip(rows, errors, strict=False):
        assert (row.dra_arcsec, row.ddec_arcsec) == pytest.approx(error, abs=0.2 * SPAXEL)


def test_what_is_matched_to_a_sum_is_no_better_known_than_the_sum(make_field):
    field = make_field(5, 60)
    images = [white_light(field.expose(error=(0.1 * number, -0.1))) for number in range(3)]
    rows = measure_together(images, (0,), AlignParameters())
    lost = dataclasses.replace(rows[2], accepted=False)
    others = [dataclasses.replace(row, err_arcsec=0.02 * row.exposure) for row in rows[:2]]
    scales = dict.fromkeys(range(3), (1.0, 0.0))
    found = _against_sum(images, [*others, lost], scales, lost, AlignParameters())
    assert found.accepted
    # of the two that are in the sum one is the reference
    assert found.err_arcsec > 0.01
    assert (found.dra_arcsec, found.ddec_arcsec) == pytest.approx((0.2, 0.0), abs=0.15 * SPAXEL)


def test_what_no_pair_ties_to_the_reference_stays_where_headers_say_on_average(make_field):
    field = make_field(5, 60)
    errors = [(0.2, -0.3), (-0.25, 0.1)]
    images = [white_light(make_field(105, 60).expose()), *(white_light(field.expose(error=error)) for error in errors)]
    rows = measure_together(images, (0,), AlignParameters())
    assert [row.accepted for row in rows] == [True, False, False]
    for row, error in zip(rows[1:], errors - np.mean(errors, axis=0), strict=True):
        assert row.note.startswith("no match: nothing ties it to a reference; 1 of 1 pairs agree")
        assert (row.dra_arcsec, row.ddec_arcsec) == pytest.approx(error, abs=0.2 * SPAXEL)
        assert row.err_arcsec == pytest.approx(0.25 / np.sqrt(2), rel=0.02)


def test_parts_of_a_mosaic_that_nothing_ties_have_no_zero_of_their_own(make_field):
    errors = [(0.2, -0.3), (-0.25, 0.1), (0.0, 0.2)]
    small, large = (
        [white_light(field.expose(error=error)) for error in errors[:number]]
        for field, number in ((make_field(105, 60), 2), (make_field(5, 60), 3))
    )
    rows = measure_together([*small, *large], (0, 2), AlignParameters())
    assert [row.accepted for row in rows] == [False, False, True, True, True]
    assert rows[1].note.startswith("no match: nothing but headers ties it to the largest part of the mosaic")
    assert [row.err_arcsec for row in rows[:2]] == pytest.approx([0.25, 0.25], rel=0.01)
    assert rows[2].err_arcsec == 0
    assert max(row.err_arcsec for row in rows[2:]) < 0.025


def test_errors_that_add_up_along_a_chain_are_not_accepted():
    both = np.array([True, True])
    facts = {"offsets": np.zeros((2, 2)), "is_tied": both, "is_placed": both, "is_used": np.array([True])}
    solved = Network(err_arcsec=np.array([0.02, 0.031]), **facts)
    assert _why_not(solved, 0, AlignParameters()) == ""
    assert _why_not(solved, 1, AlignParameters()) == "the shift is known to 0.031 arcsec only; "


def test_pairs_tell_that_they_go_on_and_can_be_stopped(make_field):
    field = make_field(5, 60)
    images = [white_light(field.expose()) for _ in range(4)]
    told = []

    def stop(done, total, text):
        told.append((done, total))
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        measure_together(images, (0,), AlignParameters(), progress=stop)
    assert told == [(1, 6), (2, 6)]
