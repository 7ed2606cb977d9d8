"""Where the sky of an aperture comes from: sides of its ring, other stars, excluded spaxels, statistics."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from astropy import units as u
from numpy.testing import assert_allclose, assert_array_equal

from napari_kmos.aperture import Aperture
from napari_kmos.cube import Cube
from napari_kmos.errors import ExtractionError
from napari_kmos.extract import EXTRACT_METHODS, ExtractParameters, draw_footprints, extract_spectra, footprints
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky, sky_to_pixel

SHAPE = 12, 24, 21
RADIUS_PIX = 2.0
STAR = 11.0, 10.0
SIDES = {"left": (1, 0), "right": (-1, 0), "up": (0, 1), "down": (0, -1)}


def make_field(*, rotation_deg: float = 0.0, values: np.ndarray | None = None) -> Cube:
    flux = np.zeros(SHAPE) if values is None else np.broadcast_to(values, SHAPE)
    return Cube(
        flux=flux.astype(np.float32),
        noise=np.ones(SHAPE, dtype=np.float32),
        wavelength=np.linspace(2.0, 2.4, SHAPE[0]) * u.um,
        wcs=make_wcs(266.4, -28.9, crpix=(10.2, 12.7), rotation_deg=rotation_deg),
        unit=u.adu,
        name="GC",
    )


def aperture_at(cube: Cube, y: float, x: float, *, name: str = "1", **facts: object) -> Aperture:
    ra, dec = pixel_to_sky(cube.wcs, y, x)
    return Aperture(id=name, ra=ra, dec=dec, **{"radius_arcsec": 0.2 * RADIUS_PIX, **facts})


def spaxels(cube: Cube, *places: tuple[int, int]) -> tuple[tuple[float, float], ...]:
    return tuple(pixel_to_sky(cube.wcs, y, x) for y, x in places)


@pytest.mark.parametrize("rotation_deg", [0.0, 37.0, 120.0, -90.0])
@pytest.mark.parametrize("side", SIDES)
def test_a_side_is_the_same_part_of_the_sky_however_the_cube_is_turned(side: str, rotation_deg: float):
    cube = make_field(rotation_deg=rotation_deg)
    star = aperture_at(cube, *STAR)

    (found,) = footprints(cube, [star], parameters=ExtractParameters(side=side))  # type: ignore[arg-type]
    _, sky = draw_footprints([found], SHAPE[1:])
    (whole,) = footprints(cube, [star])

    ra, dec = pixel_to_sky(cube.wcs, *np.nonzero(sky))
    along = SIDES[side][0] * (ra - star.ra) * math.cos(math.radians(star.dec)) + SIDES[side][1] * (dec - star.dec)
    assert np.all(along * 3600 > -0.01)
    # Half of the ring, to the spaxels on the line between both halves.
    assert 0.4 < found.sky.sum() / whole.sky.sum() < 0.6


def test_an_aperture_has_a_side_of_its_own_and_the_angle_is_a_parameter():
    cube = make_field(rotation_deg=20.0)
    ring = ExtractParameters(side="left")
    counts = [
        footprints(cube, [aperture_at(cube, *STAR, sky_side=side)], parameters=given)[0].sky.sum()
        for side, given in (
            ("all", ring),
            ("", ring),
            ("up", dataclasses.replace(ring, side_deg=90.0)),
        )
    ]
    assert_allclose(np.array(counts[1:]) / counts[0], [0.5, 0.25], atol=0.08)
    with pytest.raises(ExtractionError, match="sky_side is 'north'; expected all, left, right, up, down or nothing"):
        aperture_at(cube, *STAR, sky_side="north")


def test_a_side_sees_the_gradient_and_scales_by_area():
    rows, _ = np.indices(SHAPE[1:])
    cube = make_field(values=100.0 + rows)
    # No spaxel centre lies on these radii, so that the ring is symmetric.
    ring_of_means = ExtractParameters(ring_statistic="mean", inner=2.05, outer=2.95)

    up, down, both = (
        extract_spectra(
            cube,
            [aperture_at(cube, *STAR, sky_side=side)],
            parameters=ring_of_means,
        )[0]
        for side in ("up", "down", "all")
    )

    area = math.pi * RADIUS_PIX**2
    (ring,) = footprints(cube, [aperture_at(cube, *STAR, sky_side="up")], parameters=ring_of_means)
    expected = 100 + rows[ring.box][ring.sky].mean()
    assert_allclose(up.sky, area * expected, rtol=1e-6)
    assert_allclose(up.sky + down.sky, 2 * area * 111.0, rtol=1e-6)
    assert_allclose(both.sky, area * 111.0, rtol=1e-6)
    assert up.n_sky == ring.sky.sum()
    assert up.parameters["side"] == "all"


def test_the_ring_keeps_away_from_other_stars():
    cube = make_field()
    stars = [aperture_at(cube, *STAR), aperture_at(cube, 16.0, 10.0, name="2"), aperture_at(cube, 11.0, -2.0, name="3")]
    values = np.zeros(SHAPE[1:])
    for star in stars[1:]:
        y, x = sky_to_pixel(cube.wcs, star.ra, star.dec)
        rows, columns = np.indices(values.shape)
        values[np.hypot(rows - y, columns - x) < 5.0] = 50.0
    lit = dataclasses.replace(cube, flux=np.broadcast_to(values, SHAPE).astype(np.float32))
    away = ExtractParameters(avoid_arcsec=1.0, ring_statistic="mean", outer=4.5)

    (clean,) = extract_spectra(lit, stars, wanted=["1"], parameters=away)
    with pytest.warns(match="outside the cube: 3"):
        spoilt, _ = extract_spectra(lit, stars, parameters=dataclasses.replace(away, avoid_arcsec=0.0))

    assert_allclose(clean.sky, 0, atol=1e-9)
    assert spoilt.sky[0] > 50
    first = footprints(cube, stars, parameters=away)[0]
    assert clean.n_sky == first.sky.sum() < spoilt.n_sky


def test_no_sky_is_left_and_the_others_go_on():
    cube = make_field(values=np.ones(SHAPE[1:]))
    crowd = [aperture_at(cube, *STAR), aperture_at(cube, 11.0, 13.0, name="2"), aperture_at(cube, 2.0, 2.0, name="3")]
    parameters = ExtractParameters(side="left", avoid_arcsec=1.7, outer=2.5)

    first, _, last = extract_spectra(cube, crowd, parameters=parameters)

    assert first.mask.all()
    assert first.note == "no sky: no spaxel of the ring is left in the field, side left, 1.7 arcsec from other stars"
    (whole,) = extract_spectra(cube, crowd, wanted=["1"])
    assert_allclose(whole.flux, 0, atol=1e-6)
    assert whole.note == "overlaps the aperture of 2"
    assert (last.note, last.n_sky) == ("", 3)


def test_excluded_spaxels_serve_neither_star_nor_ring_in_any_cube():
    cube = make_field(values=np.full(SHAPE[1:], 3.0))
    turned = dataclasses.replace(cube, wcs=make_wcs(266.4, -28.9, crpix=(11.2, 12.1), rotation_deg=64.0))
    places = spaxels(cube, (11, 10), (6, 10), (40, 10))
    for one in (cube, turned):
        flux = np.array(one.flux)
        for ra, dec in places[:2]:
            y, x = (round(pixel) for pixel in sky_to_pixel(one.wcs, ra, dec))
            flux[:, y, x] = 1e4
        bad = dataclasses.replace(one, flux=flux)
        star = dataclasses.replace(aperture_at(cube, *STAR), excluded_spaxels=places)
        mean = ExtractParameters(ring_statistic="mean", min_coverage=0.5)

        (spectrum,) = extract_spectra(bad, [star], parameters=mean)
        (plain,) = extract_spectra(bad, [dataclasses.replace(star, excluded_spaxels=())], parameters=mean)

        assert_allclose(spectrum.flux, 0, atol=1e-4)
        assert_allclose(spectrum.coverage, 1 - 1 / (math.pi * RADIUS_PIX**2), rtol=1e-3)
        assert plain.flux[0] > 5000
        assert spectrum.n_sky == plain.n_sky - 1


@pytest.mark.parametrize("method", EXTRACT_METHODS)
def test_every_method_leaves_excluded_spaxels_out(method: str):
    rows, columns = np.indices(SHAPE[1:])
    light = 100 * np.exp(-((rows - 11.0) ** 2 + (columns - 10.0) ** 2) / (2 * 1.4**2))
    cube = make_field(values=light + np.random.default_rng(3).normal(0, 0.1, SHAPE[1:]))
    hot = np.array(cube.flux)
    hot[:, 12, 10] += 1e5
    star = aperture_at(cube, *STAR, radius_arcsec=0.6)
    told = dataclasses.replace(star, excluded_spaxels=spaxels(cube, (12, 10)))

    (clean,) = extract_spectra(cube, [star], method=method)
    (spectrum,) = extract_spectra(dataclasses.replace(cube, flux=hot), [told], method=method)

    # Of the sum, the spaxel's light is replaced by the mean of the others: a few per cent.
    assert_allclose(np.median(spectrum.flux), np.median(clean.flux), rtol=0.06)


@pytest.mark.parametrize(("statistic", "bias"), [("median", 0.15), ("clipped", 0.15), ("mean", 8.0)])
def test_statistics_of_the_ring_and_their_errors(statistic: str, bias: float):
    rng = np.random.default_rng(4)
    shape = 3000, *SHAPE[1:]
    flux = rng.standard_normal(shape)
    cube = dataclasses.replace(
        make_field(), flux=flux.astype(np.float32), noise=np.ones(shape, dtype=np.float32),
        wavelength=np.linspace(2.0, 2.4, shape[0]) * u.um,
    )  # fmt: skip
    ring = ExtractParameters(ring_statistic=statistic)  # type: ignore[arg-type]
    star = aperture_at(cube, *STAR)

    (spectrum,) = extract_spectra(cube, [star], parameters=ring)
    (found,) = footprints(cube, [star])
    spoilt = flux.copy()
    rows, columns = np.nonzero(found.sky)
    spoilt[:, rows[:3] + found.box[0].start, columns[:3] + found.box[1].start] = 200.0
    (robust,) = extract_spectra(dataclasses.replace(cube, flux=spoilt.astype(np.float32)), [star], parameters=ring)

    # 3000 planes: the scatter of the pulls is known to 1.3 %; clipping and pi/2 are right to 2 % for 60 spaxels.
    assert np.std(spectrum.flux / spectrum.noise) == pytest.approx(1, abs=0.04)
    per_spaxel = np.mean(robust.sky - spectrum.sky) / (math.pi * RADIUS_PIX**2)
    assert (per_spaxel > bias) if statistic == "mean" else (abs(per_spaxel) < bias)


def test_statistics_of_areas():
    cube = make_field()
    values = np.zeros(SHAPE[1:])
    values[:5, :5] = 60.0
    lit = dataclasses.replace(cube, flux=np.broadcast_to(values, SHAPE).astype(np.float32))
    places = [(2.0, 2.0), (20.0, 4.0), (4.0, 17.0), (20.0, 17.0)]
    areas = [aperture_at(cube, y, x, name=f"s{y}{x}", kind="sky", radius_arcsec=0.3) for y, x in places]
    sky = {
        how: extract_spectra(
            lit,
            [aperture_at(cube, *STAR), *areas],
            parameters=ExtractParameters(sky="areas", areas_statistic=how),  # type: ignore[arg-type]
        )[0].sky[0]
        for how in ("mean", "median", "clipped")
    }
    assert sky["mean"] == pytest.approx(15 * math.pi * RADIUS_PIX**2, rel=1e-6)
    assert_allclose([sky["median"], sky["clipped"]], 0, atol=1e-9)


def test_footprints_are_the_spaxels_of_the_spectra():
    cube = make_field(rotation_deg=10.0)
    star = aperture_at(cube, *STAR, sky_side="up", excluded_spaxels=spaxels(cube, (11, 11)))
    area = aperture_at(cube, 4.0, 4.0, name="s", kind="sky", radius_arcsec=0.28)

    (found,) = footprints(cube, [star, area])
    weights, sky = draw_footprints([found], SHAPE[1:])
    star_only, area_only = footprints(cube, [star, area], parameters=ExtractParameters(sky="areas"))

    assert weights.sum() == pytest.approx(math.pi * RADIUS_PIX**2 - 1, rel=1e-5)
    assert weights[11, 11] == 0
    assert not np.any(sky & (weights > 0))
    assert_array_equal(star_only.sky, False)
    weights, sky = draw_footprints([star_only, area_only], SHAPE[1:])
    assert weights.sum() == pytest.approx(math.pi * RADIUS_PIX**2 - 1, rel=1e-5)
    assert_array_equal(np.argwhere(sky).mean(axis=0).round(3), [4, 4])
