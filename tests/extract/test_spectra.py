"""Spectra of stars whose flux, sky and noise are known."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import dask.array as da
import numpy as np
import pytest
from astropy import units as u
from numpy.testing import assert_allclose, assert_array_equal

from napari_kmos.aperture import Aperture
from napari_kmos.cube import Cube
from napari_kmos.errors import ExtractionError, KmosWarning
from napari_kmos.extract import EXTRACT_METHODS, ExtractParameters, apertures_inside, extract_sky, extract_spectra
from napari_kmos.spatial.apertures import aperture_weights
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky

SIGMA_PIX = 1.3
RADIUS_ARCSEC = 0.5
RADIUS_PIX = 2.5
NO_SKY = ExtractParameters(sky="none")


def aperture_at(cube: Cube, y: float, x: float, *, name: str = "1", kind: str = "star", radius: float = RADIUS_ARCSEC):
    ra, dec = pixel_to_sky(cube.wcs, y, x)
    return Aperture(id=name, kind=kind, ra=ra, dec=dec, radius_arcsec=radius)


def gaussian_star(shape: tuple[int, int], y: float, x: float, flux: float) -> np.ndarray:
    """Return a Gaussian star integrated over the spaxels, so that the sum over a circle is known to the last digit."""

    def share(n: int, centre: float) -> np.ndarray:
        edges = (np.arange(n + 1) - 0.5 - centre) / (SIGMA_PIX * math.sqrt(2))
        return np.diff([math.erf(edge) for edge in edges]) / 2

    return flux * np.outer(share(shape[0], y), share(shape[1], x))


def make_field(
    *, shape: tuple[int, int, int] = (30, 24, 21), stars: Sequence[tuple[float, float, float]] = (), sigma: float = 0.0
) -> Cube:
    """Return a cube with north tilted, stars whose flux rises along the spectrum, and white noise."""
    rise = np.linspace(1, 2, shape[0])[:, None, None]
    flux = np.zeros(shape)
    for y, x, total in stars:
        flux += rise * gaussian_star(shape[1:], y, x, total)
    flux += sigma * np.random.default_rng(8).standard_normal(shape)
    return Cube(
        flux=flux.astype(np.float32),
        noise=np.full(shape, sigma or 1.0, dtype=np.float32),
        wavelength=np.linspace(1.95, 2.45, shape[0]) * u.um,
        wcs=make_wcs(266.4, -28.9, crpix=(10.2, 12.7), rotation_deg=25.0),
        unit=u.adu / u.s,
        name="GC",
        ifu=7,
        source="cube.fits[IFU.7.DATA]",
    )


def with_flux(cube: Cube, flux: np.ndarray, **facts: object) -> Cube:
    return dataclasses.replace(cube, flux=flux.astype(np.float32), **facts)


def lazy(cube: Cube) -> Cube:
    chunks = (7, -1, -1)
    noise = None if cube.noise is None else da.from_array(cube.noise, chunks=chunks)
    return dataclasses.replace(cube, flux=da.from_array(cube.flux, chunks=chunks), noise=noise)


def test_aperture_on_ones_is_its_area():
    cube = make_field()
    ones = with_flux(cube, np.ones(cube.shape))

    (spectrum,) = extract_spectra(ones, [aperture_at(cube, 11.3, 9.6)], parameters=NO_SKY)

    assert_allclose(spectrum.flux, math.pi * RADIUS_PIX**2, rtol=1e-6)
    assert spectrum.area_pix == pytest.approx(math.pi * RADIUS_PIX**2)
    assert_allclose(spectrum.coverage, 1, rtol=1e-9)
    assert_array_equal(spectrum.mask, False)
    assert (spectrum.unit, spectrum.ifu, spectrum.target) == (cube.unit, 7, "GC")
    assert spectrum.source == "cube.fits[IFU.7.DATA]"
    assert spectrum.note == ""


def test_star_flux_is_the_share_of_a_gaussian_inside_the_circle():
    y, x, total = 11.4, 9.7, 500.0
    cube = make_field(stars=[(y, x, total)])

    (spectrum,) = extract_spectra(cube, [aperture_at(cube, y, x)], parameters=NO_SKY)

    # Two smearings by a spaxel, each of variance 1/12: light is summed in spaxels, and spaxels at the rim by area.
    inside = 1 - math.exp(-(RADIUS_PIX**2) / (2 * (SIGMA_PIX**2 + 2 / 12)))
    # What is left, 0.3 %, is that a spaxel is a square and not a Gaussian.
    assert_allclose(spectrum.flux, total * inside * np.linspace(1, 2, 30), rtol=0.005)


def test_wide_aperture_holds_the_whole_star_and_the_annulus_takes_the_sky_away():
    y, x, total = 11.4, 9.7, 500.0
    cube = make_field(stars=[(y, x, total)])
    on_sky = with_flux(cube, cube.flux + np.linspace(40, 80, 30)[:, None, None])

    (spectrum,) = extract_spectra(
        on_sky, [aperture_at(cube, y, x, radius=1.1)], parameters=ExtractParameters(inner=1.1, outer=1.7)
    )

    # 5.5 spaxels are 4.2 sigma: all but 1e-4 of the star, of which the ring's median takes a little as sky.
    assert_allclose(spectrum.flux, total * np.linspace(1, 2, 30), rtol=2e-3)
    assert_allclose(spectrum.sky, math.pi * 5.5**2 * np.linspace(40, 80, 30), rtol=1e-3)
    assert spectrum.n_sky > 50


def test_annulus_removes_a_gradient():
    cube = make_field(stars=[(11.0, 10.0, 300.0)])
    rows, columns = np.indices(cube.shape[1:])
    tilted = with_flux(cube, cube.flux + 20 + 0.5 * rows - 0.8 * columns)

    # No spaxel centre lies on these radii, so that the ring is symmetric.
    ring = ExtractParameters(inner=2.1, outer=2.9)
    flat = extract_spectra(cube, [aperture_at(cube, 11.0, 10.0)], parameters=ring)[0]
    spectrum = extract_spectra(tilted, [aperture_at(cube, 11.0, 10.0)], parameters=ring)[0]

    # Ring and circle lie whole in the field: what is left are the star's wings in the ring, 0.005 a spaxel.
    assert_allclose(spectrum.flux, flat.flux, rtol=2e-3)


def test_flux_and_sky_add_up_to_the_plain_sum():
    cube = make_field(stars=[(11.4, 9.7, 500.0)], sigma=1.0)
    star = aperture_at(cube, 11.4, 9.7)

    plain = extract_spectra(cube, [star], parameters=NO_SKY)[0]
    spectrum = extract_spectra(cube, [star])[0]

    assert_allclose(spectrum.flux + spectrum.sky, plain.flux, rtol=1e-9)
    assert_array_equal(plain.sky, 0)
    assert plain.n_sky == 0


@pytest.mark.parametrize("n_areas", [1, 5])
def test_sky_of_areas_is_the_mean_of_their_means(n_areas: int):
    cube = make_field(stars=[(11.0, 10.0, 300.0)])
    rows, _ = np.indices(cube.shape[1:])
    level = 20 + 0.5 * rows
    with_sky = with_flux(cube, cube.flux + level)
    places = [(3.0, 3.0), (20.0, 4.0), (4.0, 17.0), (20.0, 17.0), (3.0, 10.0)][:n_areas]
    areas = [aperture_at(cube, y, x, name=f"s{y}{x}", kind="sky", radius=0.4) for y, x in places]

    (spectrum,) = extract_spectra(
        with_sky, [aperture_at(cube, 11.0, 10.0), *areas], parameters=ExtractParameters(sky="areas")
    )
    sky = extract_sky(with_sky, areas)

    expected = np.mean([20 + 0.5 * y for y, _ in places])
    assert_allclose(spectrum.sky, math.pi * RADIUS_PIX**2 * expected, rtol=1e-5)
    assert_allclose(sky.flux, expected, rtol=1e-5)
    assert (spectrum.n_sky, sky.n_sky, sky.aperture.kind, sky.area_pix) == (n_areas, n_areas, "sky", 1.0)
    weights = aperture_weights(cube.shape[1:], 3.0, 3.0, 2.0)
    assert_allclose(sky.noise, np.sqrt(np.sum(weights**2) / n_areas) / weights.sum(), rtol=1e-6)


@pytest.mark.parametrize(
    ("sky", "inner", "outer"), [("none", 2.0, 3.0), ("annulus", 1.2, 2.2), ("areas", 2.0, 3.0)], ids=str
)
def test_noise_is_the_scatter(sky: str, inner: float, outer: float):
    cube = make_field(shape=(4000, 24, 21), sigma=3.0)
    apertures = [aperture_at(cube, 11.37, 9.81)] + [
        aperture_at(cube, y, 4.2, name=f"s{y}", kind="sky", radius=0.3) for y in (3.3, 20.1)
    ]

    (spectrum,) = extract_spectra(
        cube,
        apertures,
        parameters=ExtractParameters(sky=sky, inner=inner, outer=outer),  # type: ignore[arg-type]
    )

    pulls = spectrum.flux / spectrum.noise
    # 4000 wavelengths: the mean of the pulls is known to 0.016, their scatter to 1.1 %; pi/2 holds for many spaxels,
    # for the 60 of this ring it is 1 % too large.
    assert abs(np.mean(pulls)) < 0.06
    assert np.std(pulls) == pytest.approx(1, abs=0.035)


def test_small_gaps_are_scaled_by_area_and_large_ones_masked():
    cube = make_field()
    flux = np.full(cube.shape, 4.0)
    flux[5, 11, 10] = np.nan  # one of 19.6 spaxels
    flux[6, 9:14, 8:11] = np.nan  # more than half
    flux[7] = np.nan
    noise = np.full(cube.shape, 0.5, dtype=np.float32)

    (spectrum,) = extract_spectra(
        with_flux(cube, flux, noise=noise), [aperture_at(cube, 11.0, 10.0)], parameters=NO_SKY
    )

    area = math.pi * RADIUS_PIX**2
    assert_allclose(spectrum.flux[[4, 5]], 4 * area, rtol=1e-6)
    assert_array_equal(np.flatnonzero(spectrum.mask), [6, 7])
    assert np.isnan(spectrum.flux[[6, 7]]).all()
    assert np.isnan(spectrum.noise[[6, 7]]).all()
    assert_allclose(spectrum.coverage[[4, 5, 7]], [1, 1 - 1 / area, 0], atol=1e-9)
    # The missing spaxel is replaced by the mean of the others: its share of the variance, and theirs grows.
    assert 1.02 < spectrum.noise[5] / spectrum.noise[4] < 1.06


def test_coverage_limit_is_a_parameter():
    cube = make_field()
    flux = np.full(cube.shape, 4.0)
    flux[5, 11, 10] = np.nan
    strict = ExtractParameters(sky="none", min_coverage=0.99)

    (spectrum,) = extract_spectra(with_flux(cube, flux), [aperture_at(cube, 11.0, 10.0)], parameters=strict)

    assert_array_equal(np.flatnonzero(spectrum.mask), [5])


def test_flux_without_noise_counts_as_noisy_as_the_rest():
    cube = make_field()
    noise = np.full(cube.shape, 0.5, dtype=np.float32)
    noise[:, 11, 10] = np.nan

    whole = extract_spectra(cube, [aperture_at(cube, 11.0, 10.0)], parameters=NO_SKY)[0]
    spectrum = extract_spectra(
        dataclasses.replace(cube, noise=noise), [aperture_at(cube, 11.0, 10.0)], parameters=NO_SKY
    )[0]

    assert_allclose(spectrum.noise, 0.5 * whole.noise, rtol=1e-6)


def test_star_at_the_edge_says_what_is_missing():
    cube = make_field()
    ones = with_flux(cube, np.ones(cube.shape))

    near, half = extract_spectra(
        ones, [aperture_at(cube, 1.6, 9.0), aperture_at(cube, -0.3, 9.0, name="2")], parameters=NO_SKY
    )

    assert_allclose(near.flux, math.pi * RADIUS_PIX**2, rtol=1e-6)
    assert near.note == "4 % of the aperture has no data, scaled up; overlaps the aperture of 2"
    assert half.mask.all()
    assert half.note == "no data: at most 55 % of the aperture is covered"


def test_ring_without_data_is_told():
    cube = make_field()
    flux = np.full(cube.shape, np.nan)
    flux[:, 8:15, 7:14] = 1.0

    (spectrum,) = extract_spectra(with_flux(cube, flux), [aperture_at(cube, 11.0, 10.0)])

    assert spectrum.mask.all()
    assert spectrum.note == "no sky: the ring around the star has no data"


@pytest.mark.parametrize("sky", ["annulus", "areas", "none"])
@pytest.mark.parametrize("whole", [True, False], ids=["read whole", "read piece by piece"])
def test_lazy_cube_gives_the_same(monkeypatch: pytest.MonkeyPatch, sky: str, whole: bool):
    cube = make_field(stars=[(11.4, 9.7, 500.0)], sigma=1.0)
    apertures = [aperture_at(cube, 11.4, 9.7), aperture_at(cube, 4.0, 4.0, name="s", kind="sky")]
    parameters = ExtractParameters(sky=sky)  # type: ignore[arg-type]
    expected = extract_spectra(cube, apertures, parameters=parameters)[0]
    if not whole:
        monkeypatch.setattr("napari_kmos.extract.reading._WHOLE_BYTES", 0)

    (spectrum,) = extract_spectra(lazy(cube), apertures, parameters=parameters)

    for name in ("flux", "noise", "sky", "coverage"):
        assert_allclose(getattr(spectrum, name), getattr(expected, name), rtol=1e-12, err_msg=name)


class Source:
    """A mosaic that counts the spaxels read from it; no ``copy``, so that dask does not load it."""

    shape, dtype, ndim = (40, 700, 600), np.dtype(np.float32), 3

    def __init__(self) -> None:
        self.most = 0

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        sizes = [len(range(*part.indices(n))) for part, n in zip(key, self.shape, strict=True)]
        self.most = max(self.most, sizes[1] * sizes[2])
        return np.ones(sizes, dtype=np.float32)


@pytest.mark.parametrize("has_noise", [True, False])
def test_of_a_mosaic_only_the_surroundings_are_read(has_noise: bool):
    source = Source()
    mosaic = da.from_array(source, chunks=(2, -1, -1), meta=np.empty((0, 0, 0), dtype=np.float32))
    cube = dataclasses.replace(
        make_field(shape=(40, 24, 21)), flux=mosaic, noise=mosaic if has_noise else None, ifu=None
    )

    (spectrum,) = extract_spectra(cube, [aperture_at(cube, 350.0, 300.0)], parameters=NO_SKY)

    assert_allclose(spectrum.flux, math.pi * RADIUS_PIX**2, rtol=1e-6)
    assert spectrum.noise_estimated is not has_noise
    assert source.most < 40**2


@pytest.mark.parametrize("fitting", [1, 2, 5])
def test_apertures_are_read_in_batches_that_fit_into_memory(monkeypatch: pytest.MonkeyPatch, fitting: int):
    cube = make_field(stars=[(11.4, 9.7, 500.0)], sigma=1.0)
    places = [(11.4, 9.7), (5.2, 5.1), (17.3, 6.6), (6.8, 14.2), (16.1, 14.9)]
    stars = [aperture_at(cube, y, x, name=str(number)) for number, (y, x) in enumerate(places)]
    ring = ExtractParameters(inner=1.2, outer=1.6)
    expected = extract_spectra(cube, stars, parameters=ring)
    monkeypatch.setattr("napari_kmos.extract.reading._WHOLE_BYTES", 0)
    # A ring of 1.6 radii of 2.5 spaxels touches at most 10 x 10.
    monkeypatch.setattr("napari_kmos.extract.reading._BATCH_BYTES", fitting * 8 * 30 * 10 * 10)
    told: list[tuple[int, int]] = []

    spectra = extract_spectra(
        lazy(cube), stars, parameters=ring, progress=lambda done, total, _: told.append((done, total))
    )

    for spectrum, one in zip(spectra, expected, strict=True):
        assert_array_equal(spectrum.flux, one.flux)
        assert_array_equal(spectrum.noise, one.noise)
    shares = [done / total for done, total in told]
    assert shares == sorted(shares)
    assert len(told) >= 2 * (5 // fitting)  # flux and noise of each batch


def test_an_aperture_that_needs_the_whole_mosaic_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("napari_kmos.extract.reading._WHOLE_BYTES", 0)
    monkeypatch.setattr("napari_kmos.extract.reading._BATCH_BYTES", 10_000)
    cube = lazy(make_field())
    with pytest.raises(ExtractionError, match=r"takes 0.0 GiB of memory; choose a smaller radius"):
        extract_spectra(cube, [aperture_at(cube, 11.0, 10.0)])


def test_missing_noise_is_estimated_and_said():
    cube = make_field(shape=(200, 24, 21), sigma=2.0)

    (spectrum,) = extract_spectra(
        dataclasses.replace(cube, noise=None), [aperture_at(cube, 11.3, 9.6)], parameters=NO_SKY
    )

    assert spectrum.noise_estimated
    expected = extract_spectra(cube, [aperture_at(cube, 11.3, 9.6)], parameters=NO_SKY)[0].noise
    # The estimate of one plane, from 200 spaxels, is good to 5 %, and the aperture is noise of one plane.
    assert_allclose(np.median(spectrum.noise), np.median(expected), rtol=0.05)


def test_calibrated_fluxes_do_not_underflow():
    cube = make_field(sigma=1.0)
    tiny = dataclasses.replace(cube, flux=cube.flux * np.float32(1e-21), noise=cube.noise * np.float32(1e-21))

    for parameters in (NO_SKY, ExtractParameters()):
        expected = extract_spectra(cube, [aperture_at(cube, 11.0, 10.0)], parameters=parameters)[0]
        spectrum = extract_spectra(tiny, [aperture_at(cube, 11.0, 10.0)], parameters=parameters)[0]
        assert_allclose(spectrum.noise, 1e-21 * expected.noise, rtol=1e-5)
        assert spectrum.snr_noise == pytest.approx(expected.snr_noise, rel=1e-3)


def test_apertures_belong_to_the_cube_that_holds_their_centre():
    cube = make_field()
    apertures = [
        aperture_at(cube, -0.49, -0.49, name="corner"),
        aperture_at(cube, 23.49, 20.49, name="other corner"),
        aperture_at(cube, -0.51, 5.0, name="below"),
        aperture_at(cube, 5.0, 20.51, name="beside"),
        Aperture(id="antipode", ra=86.4, dec=28.9, radius_arcsec=0.5),
        Aperture(id="elsewhere", ra=10.0, dec=-28.9, radius_arcsec=0.5),
    ]
    assert [row.id for row in apertures_inside(cube, apertures)] == ["corner", "other corner"]


def test_stars_outside_are_warned_of():
    cube = make_field()
    apertures = [aperture_at(cube, 11.0, 10.0), aperture_at(cube, 40.0, 10.0, name="b")]
    with pytest.warns(KmosWarning, match="IFU 7 GC: outside the cube: b"):
        spectra = extract_spectra(cube, apertures)
    assert [spectrum.aperture.id for spectrum in spectra] == ["1"]


def test_what_cannot_be_extracted_is_said():
    cube = make_field()
    star, far = aperture_at(cube, 11.0, 10.0), aperture_at(cube, 99.0, 10.0)
    sky = aperture_at(cube, 5.0, 5.0, name="s", kind="sky")
    with pytest.raises(ExtractionError, match="no aperture; expected at least one"):
        extract_spectra(cube, [])
    with pytest.raises(ExtractionError, match="none of the 1 star apertures lies in its 21 x 24 spaxels"):
        extract_spectra(cube, [far])
    with pytest.raises(ExtractionError, match="all 1 apertures are of kind sky"):
        extract_spectra(cube, [sky])
    with pytest.raises(ExtractionError, match="the id '1' is used by more than one star"):
        extract_spectra(cube, [star, star])
    with pytest.raises(ExtractionError, match="no aperture of kind sky in this cube; pick some"):
        extract_spectra(cube, [star], parameters=ExtractParameters(sky="areas"))
    with pytest.raises(ExtractionError, match="method 'magic' is unknown; expected one of aperture, optimal, psf"):
        extract_spectra(cube, [star], method="magic")
    with pytest.raises(
        ExtractionError, match=r"radius 7200 arcsec is larger than IFU 7 GC \(4.8 arcsec\); give arcsec"
    ):
        extract_spectra(cube, [dataclasses.replace(star, radius_arcsec=7200)])
    nothing = with_flux(cube, np.full(cube.shape, np.nan))
    with pytest.raises(ExtractionError, match="none of the 1 sky apertures has data"):
        extract_sky(nothing, [sky])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sky": "moon"}, "sky is 'moon'; expected one of annulus, areas, none"),
        ({"inner": 3.0, "outer": 2.0}, r"from 3.0 to 2.0 radii; expected 0 <= inner < outer"),
        ({"outer": float("inf")}, "expected 0 <= inner < outer"),
        ({"min_coverage": 0.0}, "min_coverage is 0.0"),
        ({"side": "east"}, "side is 'east'; expected one of all, left, right, up, down"),
        ({"side_deg": 0.0}, "side_deg is 0.0; expected an angle above 0, at most 360"),
        ({"avoid_arcsec": -1.0}, "avoid_arcsec is -1.0; expected zero or more"),
        ({"ring_statistic": "mode"}, "ring_statistic is 'mode'; expected one of median, mean, clipped"),
        ({"sky_clip": 0.0}, "sky_clip is 0.0; expected a positive number"),
    ],
)
def test_parameters_that_make_no_sense(parameters: dict[str, object], message: str):
    with pytest.raises(ExtractionError, match=message):
        ExtractParameters(**parameters)  # type: ignore[arg-type]


def test_sky_across_zero_hours_lies_where_its_areas_are():
    cube = make_field()
    cube = dataclasses.replace(cube, wcs=make_wcs(0.0, -28.9, crpix=(10.2, 12.7)))
    areas = [aperture_at(cube, 12.0, x, name=str(x), kind="sky") for x in (4.0, 14.0)]
    assert {area.ra > 180 for area in areas} == {True, False}

    sky = extract_sky(cube, areas).aperture

    assert (sky.ra + 180) % 360 - 180 == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("method", EXTRACT_METHODS)
class TestContract:
    """What every method must do."""

    def test_gives_one_spectrum_a_star_in_order(self, method: str):
        cube = make_field(stars=[(11.4, 9.7, 500.0), (6.0, 14.0, 900.0)], sigma=0.1)
        stars = [aperture_at(cube, 6.0, 14.0, name="b"), aperture_at(cube, 11.4, 9.7, name="a")]

        spectra = extract_spectra(cube, stars, method=method)

        assert [(spectrum.aperture.id, spectrum.method) for spectrum in spectra] == [("b", method), ("a", method)]
        assert np.median(spectra[0].flux) > np.median(spectra[1].flux) > 0

    def test_leaves_the_cube_alone_and_masks_what_has_no_data(self, method: str):
        cube = make_field(stars=[(11.4, 9.7, 500.0)], sigma=0.1)
        flux = cube.flux.copy()
        flux[3] = np.nan
        cube = with_flux(cube, flux)

        (spectrum,) = extract_spectra(cube, [aperture_at(cube, 11.4, 9.7)], method=method)

        assert_array_equal(cube.flux, flux.astype(np.float32))
        assert_array_equal(np.flatnonzero(spectrum.mask), [3])
        assert_array_equal(spectrum.mask, ~np.isfinite(spectrum.flux))
        assert np.all(spectrum.noise[~spectrum.mask] > 0)


def test_noise_of_a_sum_allows_for_the_correlation_of_spaxels():
    rng = np.random.default_rng(12)
    shape = (6000, 17, 19)
    white = rng.standard_normal((shape[0], 18, 20))
    flux = (white[:, 1:, 1:] + white[:, 1:, :-1] + white[:, :-1, 1:] + white[:, :-1, :-1]) / 2
    cube = dataclasses.replace(make_field(shape=shape, sigma=1.0), flux=flux.astype(np.float32))
    # Means of four spaxels: half of them are shared with a neighbour, a quarter across a corner.
    correlation = np.outer([0.5, 1, 0.5], [0.5, 1, 0.5])
    correlated = dataclasses.replace(cube, correlation=correlation)
    stars = [aperture_at(cube, 8.3, 9.1)]

    for parameters in (NO_SKY, ExtractParameters(sky="annulus", inner=1.5, outer=2.5)):
        (plain,) = extract_spectra(cube, stars, parameters=parameters)
        (spectrum,) = extract_spectra(correlated, stars, parameters=parameters)
        assert (plain.noise_correlated, spectrum.noise_correlated) == (False, True)
        # 6000 planes tell the scatter to 0.9 %; the median of a correlated ring is some per cent off pi/2 of the mean
        tolerance = 0.03 if parameters is NO_SKY else 0.06
        assert np.median(spectrum.noise) / spectrum.flux.std() == pytest.approx(1, abs=tolerance)
        assert np.median(plain.noise) / plain.flux.std() < 0.65
