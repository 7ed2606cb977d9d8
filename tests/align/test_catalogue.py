"""Offsets against a catalogue are found, or said not to be; star lists where there are many stars."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from astropy.table import Table
from factories import DEC, RA, star_image

from napari_kmos.align import AlignParameters, measure_by_catalogue, measure_by_stars, measure_offsets, white_light
from napari_kmos.align.catalogue import check_magnitudes, check_overlap
from napari_kmos.align.voting import vote
from napari_kmos.cube import Image
from napari_kmos.errors import AlignmentError, KmosError, KmosWarning
from napari_kmos.io import catalogue_of
from napari_kmos.spatial.fields import field_of
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky, shift_wcs

SPAXEL = 0.2
ERRORS = ((0.21, -0.34), (-0.47, 0.11), (0.09, 0.63))


def off(offset, error):
    return np.hypot(offset.dra_arcsec - error[0], offset.ddec_arcsec - error[1])


def test_crowded_fields_are_found(make_field):
    distances, pulls = [], []
    for seed in range(3):
        field = make_field(seed, 80)
        catalogue = field.catalogue(error_arcsec=0.02)
        for number, error in enumerate(ERRORS):
            cube = field.expose(error=error, rotation=40.0 * number, fwhm=0.6 + 0.1 * number)
            cube.flux[:, 0] = np.nan
            found = measure_by_catalogue(white_light(cube), catalogue)
            assert found.accepted
            assert found.score > 27
            assert found.method == "catalogue"
            distances.append(off(found, error))
            pulls.append(distances[-1] / found.err_arcsec)
    # twenty stars good to 0.1 spaxel each
    assert np.median(distances) < 0.1 * SPAXEL
    assert np.max(distances) < 0.35 * SPAXEL
    assert 0.5 < np.sqrt(np.mean(np.square(pulls)) / 2) < 1.5


def test_exact_catalogue_and_no_noise(make_field):
    field = make_field(4, 60)
    image = white_light(field.expose(noise=1e-3, error=(0.13, -0.27)))
    found = measure_by_catalogue(image, field.catalogue(), parameters=AlignParameters(star_power=2.8))
    # no pixels are integrated over: a hundredth of a spaxel
    assert (found.dra_arcsec, found.ddec_arcsec) == pytest.approx((0.13, -0.27), abs=0.02 * SPAXEL)


def test_bright_star_that_the_catalogue_lacks(make_field):
    field = make_field(8, 80)
    whole = field.catalogue(error_arcsec=0.02)
    inside = np.hypot(field.east - 0.3, field.north) < 1.0
    brightest = np.argmax(np.where(inside, field.flux, 0))
    kept = np.arange(len(whole)) != brightest
    poor = dataclasses.replace(whole, ra=whole.ra[kept], dec=whole.dec[kept], table=whole.table[kept])
    image = white_light(field.expose(error=ERRORS[0]))
    assert off(measure_by_catalogue(image, poor), ERRORS[0]) < 0.3 * SPAXEL


def test_sources_without_magnitude_are_used(make_field):
    field = make_field(3, 70)
    catalogue = dataclasses.replace(field.catalogue(), magnitude_name="")
    image = white_light(field.expose(error=ERRORS[1]))
    found = measure_by_catalogue(image, catalogue, parameters=AlignParameters(flux_error=1.0))
    assert not found.accepted or off(found, ERRORS[1]) < 0.5 * SPAXEL


@pytest.mark.parametrize(
    ("magnitudes", "said"),
    [
        (None, "stars: no column is known as a magnitude: all stars count as equally bright"),
        (
            np.nan,
            "its magnitude, Kmag, has no numbers in the fields: .* another column .--magnitude.; it has ra, dec, Kmag",
        ),
        (99.0, "its magnitude, Kmag, is the same for all sources in the fields"),
    ],
)
def test_catalogues_without_usable_magnitudes_are_told(make_field, magnitudes, said):
    field = make_field(3, 20)
    catalogue, fields = field.catalogue(), [field_of(field.expose())]
    check_magnitudes(catalogue, fields)  # and no warning
    if magnitudes is None:
        catalogue = dataclasses.replace(catalogue, magnitude_name="")
    else:
        catalogue.table["Kmag"] = magnitudes
    with pytest.warns(KmosWarning, match=said):
        check_magnitudes(catalogue, fields)


def test_notes_say_how_much_evidence_is_needed_and_count_stars(make_field):
    image = white_light(make_field(0, 60).expose())
    found = measure_by_catalogue(image, make_field(100, 60).catalogue(), parameters=AlignParameters(margin=0.0))
    assert re.fullmatch(r"no match: evidence -?\d+\.\d, 30 is needed; .*next best shift", found.note)
    alone = make_field(5, 1)
    alone.flux[:], alone.east[:], alone.north[:] = 3000.0, 0.1, -0.2
    easy = AlignParameters(catalogue_evidence=1e-3, margin=0.0)
    found = measure_by_catalogue(white_light(alone.expose()), alone.catalogue(), parameters=easy)
    assert found.note.endswith("; 1 star")


def test_other_field_is_not_matched(make_field):
    for seed in range(5):
        image = white_light(make_field(seed, 60).expose())
        found = measure_by_catalogue(image, make_field(seed + 100, 60).catalogue())
        assert not found.accepted
        assert found.note.startswith(("no match: ", "ambiguous: "))
        if found.note.startswith("no match"):
            assert (found.dra_arcsec, found.ddec_arcsec) == (0, 0)
            assert found.err_arcsec == AlignParameters().pointing_error_arcsec


@pytest.mark.parametrize(
    ("what", "match"),
    [
        ("empty sky", "no match: no star is seen"),
        ("no data", "no match: 0 spaxels with data"),
        ("far", "no match: no star of the catalogue lies in the field"),
    ],
)
def test_nothing_to_match(make_field, what, match):
    field = make_field(1, 60)
    cube = (make_field(2, 0) if what == "empty sky" else field).expose()
    if what == "no data":
        cube.flux[:] = np.nan
    catalogue = field.catalogue()
    if what == "far":
        catalogue = dataclasses.replace(catalogue, dec=catalogue.dec + 0.1)
        with pytest.raises(AlignmentError, match="stars: none of its 60 sources lies in the fields"):
            check_overlap(catalogue, [field_of(cube)])
    (found,) = measure_offsets([cube], reference=catalogue, method="catalogue")
    assert (found.accepted, found.note) == (False, match)


def test_bad_choices(make_field):
    field = make_field(1, 9)
    with pytest.raises(AlignmentError, match="method catalogue needs a catalogue"):
        measure_offsets([field.expose()], method="catalogue")
    with pytest.raises(AlignmentError, match="method correlation compares images"):
        measure_offsets([field.expose()], reference=field.catalogue())
    large = Image(data=np.ones((80, 70)), wcs=make_wcs(RA, DEC, crpix=(1, 1)), name="mosaic")
    with pytest.raises(AlignmentError, match=r"mosaic: 80 x 70 pixels are too many .* use method stars"):
        measure_by_catalogue(large, field.catalogue())
    with pytest.raises(KmosError, match="star_power is 1, expected more than 1"):
        AlignParameters(star_power=1)
    with pytest.raises(KmosError, match="star_most is 0, expected one or more"):
        AlignParameters(star_most=0)


def wide(seed, error=(0.0, 0.0)):
    """A field of many stars that stand apart, as a combined cube has."""
    rng = np.random.default_rng(seed)
    right, shape = make_wcs(RA, DEC, crpix=(30.0, 25.0)), (50, 61)
    y, x = rng.uniform(0, 50, 40), rng.uniform(0, 61, 40)
    flux = 300 + 4000 * rng.random(40) ** 2
    data = star_image(shape, list(zip(y, x, flux, strict=True)), fwhm_pix=3.4) + rng.normal(0, 1.0, shape)
    ra, dec = pixel_to_sky(right, y, x)
    image = Image(data=data, noise=np.ones(shape), wcs=shift_wcs(right, -error[0], -error[1]), name="wide")
    return image, catalogue_of(Table({"ra": ra, "dec": dec, "K": -2.5 * np.log10(flux)}), "stars")


@pytest.mark.parametrize("error", ERRORS)
def test_star_lists_where_there_are_many_stars(error):
    reference, catalogue = wide(6)
    moving, _ = wide(6, error)
    for against in (reference, catalogue):
        found = measure_by_stars(against, moving)
        assert found.accepted
        assert found.method == "stars"
        # a dozen stars good to a tenth of a spaxel, some of them blends
        assert off(found, error) < 0.15 * SPAXEL
        assert off(found, error) < 4 * found.err_arcsec


def test_star_lists_of_other_fields():
    for seed in range(4):
        found = measure_by_stars(wide(20 + seed)[0], wide(40 + seed)[0])
        assert not found.accepted
        assert found.note.startswith(("no match: ", "ambiguous: "))
    empty = dataclasses.replace(wide(1)[0], data=np.random.default_rng(2).normal(size=(50, 61)))
    found = measure_by_stars(wide(1)[1], empty)
    assert found.note.startswith("no match: 0 stars in the image and")


def test_votes_tell_the_shift_and_the_odds():
    rng = np.random.default_rng(5)
    first = rng.uniform(0, 10, (30, 2))
    moved = first[:12] + np.array([0.7, -1.1]) + rng.normal(0, 0.02, (12, 2))
    second = np.concatenate([moved, rng.uniform(0, 10, (18, 2))])
    best, *others = vote(first, second, reach=2.0, radius=0.15, number=5)
    assert best.shift == pytest.approx((0.7, -1.1), abs=0.02)
    assert len(best.pairs) >= 12
    assert best.evidence > others[0].evidence + 10
    assert best.rms == pytest.approx(0.028, abs=0.02)
    # of lists that have nothing to do with each other one in a thousand or so has odds of 7
    odds = [
        vote(rng.uniform(0, 10, (30, 2)), rng.uniform(0, 10, (30, 2)), reach=2.0, radius=0.15, number=5)[0].evidence
        for _ in range(60)
    ]
    assert max(odds) < 7
    assert vote(first[:0], second, reach=2.0, radius=0.15, number=5) == []


def test_a_single_star_is_no_stars(make_field):
    empty = dataclasses.replace(wide(1)[0], data=np.random.default_rng(2).normal(size=(50, 61)))
    found = measure_by_stars(make_field(5, 1).catalogue(), empty)
    assert found.note == "no match: 0 stars in the image and 1 in the reference; 3 are needed"
