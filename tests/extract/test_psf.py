"""Stars in crowded fields, fitted together: fluxes, errors and profiles that are known."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy import units as u
from numpy.testing import assert_allclose, assert_array_equal

from napari_kmos.aperture import Aperture
from napari_kmos.cube import Cube
from napari_kmos.errors import ExtractionError, KmosWarning
from napari_kmos.extract import ExtractParameters, extract_spectra, extract_with_residual
from napari_kmos.progress import Cancelled
from napari_kmos.spatial.wcs import make_wcs, offset_arcsec, pixel_to_sky

if TYPE_CHECKING:
    from napari_kmos.spectrum import PsfFit

SHAPE = (14, 17)
SPAXEL = 0.2
FWHM, BETA, EXPONENT, DRIFT = 3.2, 2.6, -0.25, (0.3, -0.2)
#: (y, x, flux).
STARS = ((4.1, 4.4, 300.0), (6.9, 6.8, 900.0), (9.2, 12.1, 500.0), (10.8, 3.2, 150.0), (3.0, 13.3, 80.0))
BACKGROUND = 7.0


def moffats(places: np.ndarray, fwhm: float, beta: float, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Return images of stars of flux 1, the mean of 7 x 7 points a spaxel."""
    core = (fwhm / 2) ** 2 / (2 ** (1 / beta) - 1)
    points = (np.arange(7) - 3) / 7
    y, x = (
        ((np.arange(length)[:, None] + points).ravel() - places[:, axis, None]) ** 2
        for axis, length in enumerate(shape)
    )
    values = (1 + (y[:, :, None] + x[:, None]) / core) ** -beta
    return (beta - 1) / (np.pi * core) * values.reshape(len(places), shape[0], 7, shape[1], 7).mean(axis=(2, 4))


def make_field(
    stars: tuple[tuple[float, float, float], ...] = STARS,
    *,
    n_wave: int = 64,
    sigma: float = 0.2,
    shape: tuple[int, int] = SHAPE,
    seed: int = 4,
) -> tuple[Cube, np.ndarray]:
    """Return a cube with stars that drift and change their width with wavelength, and their spectra."""
    wave = np.linspace(1.95, 2.45, n_wave)
    along = np.linspace(-0.5, 0.5, n_wave)
    places = np.array([star[:2] for star in stars])
    slopes = np.linspace(-0.4, 0.4, len(stars))[:, None]
    truth = np.array([star[2] for star in stars])[:, None] * (1 + slopes * along)
    truth[0, n_wave // 3] *= 0.4  # a line
    flux = np.array(
        [
            truth[:, k] @ moffats(places + np.array(DRIFT) * along[k], FWHM * (wave[k] / 2.2) ** EXPONENT, BETA, shape)
            .reshape(len(stars), -1)
            for k in range(n_wave)
        ]
    ).reshape(n_wave, *shape)  # fmt: skip
    noise = sigma * np.random.default_rng(seed).standard_normal(flux.shape)
    cube = Cube(
        flux=(flux + BACKGROUND + noise).astype(np.float32),
        noise=np.full(flux.shape, sigma, dtype=np.float32),
        wavelength=wave * u.um,
        wcs=make_wcs(266.4, -28.9, crpix=(9.0, 7.5), rotation_deg=20.0),
        unit=u.adu / u.s,
        name="GC",
        ifu=7,
    )
    return cube, truth


def apertures_of(cube: Cube, stars: tuple[tuple[float, float, float], ...] = STARS, off: float = 0.0) -> list[Aperture]:
    """Return apertures at the stars, off by some spaxels in ways of their own."""
    moves = off * np.random.default_rng(9).standard_normal((len(stars), 2))
    sky = [pixel_to_sky(cube.wcs, y + dy, x + dx) for (y, x, _), (dy, dx) in zip(stars, moves, strict=True)]
    return [Aperture(id=str(n), ra=ra, dec=dec, radius_arcsec=0.5) for n, (ra, dec) in enumerate(sky)]


def test_fluxes_profile_and_positions_are_found_with_errors_that_tell_how_well():
    cube, truth = make_field()
    apertures = apertures_of(cube, off=0.1)

    spectra = extract_spectra(cube, apertures, method="psf")

    pulls = np.array([(one.flux - flux) / one.noise for one, flux in zip(spectra, truth, strict=True)])
    # 5 stars at 64 wavelengths: 4 % for independent errors; those by the profile are in common.
    assert np.std(pulls) == pytest.approx(1, abs=0.15)
    means = [one.flux.mean() / flux.mean() - 1 for one, flux in zip(spectra, truth, strict=True)]
    assert_allclose(means, 0, atol=0.02)
    fit = spectra[1].psf
    assert fit is not None
    assert fit.fwhm_arcsec == pytest.approx(FWHM * SPAXEL, abs=5 * fit.fwhm_error_arcsec)
    assert fit.fwhm_error_arcsec < 0.01
    assert (fit.beta, fit.exponent) == (pytest.approx(BETA, abs=0.15), pytest.approx(EXPONENT, abs=0.1))
    y, x, _ = STARS[1]
    off = offset_arcsec(*pixel_to_sky(cube.wcs, y, x), fit.ra, fit.dec)
    assert np.hypot(*off) < 5 * fit.error_arcsec < 0.01
    start, end = (pixel_to_sky(cube.wcs, y + sign * DRIFT[0], x + sign * DRIFT[1]) for sign in (-0.5, 0.5))
    assert_allclose(fit.drift_arcsec, offset_arcsec(*start, *end), atol=0.01)
    assert fit.chi2 == pytest.approx(1, abs=0.05)
    assert (fit.noise_factor, dict(fit.blended)) == (1.0, {})
    assert_allclose(spectra[1].sky, BACKGROUND * spectra[1].area_pix, rtol=0.05)
    assert {one.note for one in spectra} == {""}
    assert "background" in spectra[0].parameters
    assert "outer" not in spectra[0].parameters


def test_a_list_that_is_off_as_a_whole_is_told():
    """By 0.36 arcsec where 0.1 was expected: beyond three times that, and what was expected or held is not told."""
    cube, _ = make_field(n_wave=16)
    apertures = apertures_of(cube, tuple((y + 1.4, x - 1.2, flux) for y, x, flux in STARS))

    with pytest.warns(KmosWarning, match=r"all stars lie 0\.3\d arcsec from where they were given, 3\.\d times"):
        spectra = extract_spectra(cube, apertures, method="psf")

    assert all("all stars lie 0.3" in one.note for one in spectra)
    for error in (0.3, 0.0):
        how = ExtractParameters(shift_error_arcsec=error)
        spectra = extract_spectra(cube, apertures, method="psf", parameters=how)
        assert not any("all stars lie" in one.note for one in spectra)


def test_light_of_stars_outside_the_field_is_theirs():
    outside = (4.6, -0.9, 900.0)
    cube, truth = make_field((*STARS, outside))
    given = apertures_of(cube, (*STARS, outside))

    with_them = extract_spectra(cube, given, method="psf")
    without = extract_spectra(cube, given[:-1], method="psf")

    assert [one.aperture.id for one in with_them] == list("01234")
    errors = [abs(spectra[0].flux.mean() / truth[0].mean() - 1) for spectra in (with_them, without)]
    assert errors[0] < 0.02
    assert errors[1] > 0.03
    with pytest.warns(KmosWarning, match="outside the cube: 5"):
        extract_spectra(cube, given)


def test_the_fainter_of_a_blend_stays_where_it_was_given_and_both_are_written():
    pair = ((7.0, 7.0, 900.0), (7.9, 7.6, 300.0), (3.0, 13.0, 500.0))
    cube, truth = make_field(pair)
    apertures = apertures_of(cube, pair)
    parameters = ExtractParameters(shift_error_arcsec=0.0)

    bright, faint, alone = extract_spectra(cube, apertures, method="psf", parameters=parameters)

    assert [one.note for one in (bright, faint, alone)] == ["blended with 1", "blended with 0", ""]
    assert faint.psf is not None
    assert bright.psf is not None
    assert (faint.psf.ra, faint.psf.dec) == pytest.approx((apertures[1].ra, apertures[1].dec), abs=1e-9)
    assert faint.psf.blended["0"] == pytest.approx(bright.psf.blended["1"])
    assert -1 < faint.psf.blended["0"] < -0.8
    for one, flux in zip((bright, faint), truth, strict=False):
        assert np.median(one.noise) > 1.5 * np.median(alone.noise)
        assert abs(np.mean(one.flux - flux)) < 2 * np.median(one.noise)


def test_stars_at_one_place_share_their_light():
    cube, truth = make_field()
    apertures = [*apertures_of(cube), dataclasses.replace(apertures_of(cube)[1], id="again")]

    spectra = extract_spectra(cube, apertures, method="psf")

    assert_allclose(spectra[1].flux + spectra[5].flux, truth[1], rtol=0.03)
    assert np.median(spectra[5].noise) > 30 * np.median(spectra[2].noise)
    assert spectra[5].note == "blended with 1"
    assert_allclose(spectra[2].flux, truth[2], rtol=0.05)


def test_gaps_and_bad_voxels_do_no_harm():
    cube, truth = make_field()
    clean = extract_spectra(cube, apertures_of(cube), method="psf")
    flux, noise = cube.flux.copy(), cube.noise.copy()
    flux[10] = np.nan
    flux[:, :, 0] = np.nan
    flux[:, 6, 8] = np.nan
    flux[20:40, 9, 12] = np.nan
    noise[5, 4, 4] = np.nan
    noise[7] = 0
    rng = np.random.default_rng(3)
    for _ in range(40):  # cosmic rays
        flux[tuple(rng.integers(cube.shape))] += 200

    spectra = extract_spectra(dataclasses.replace(cube, flux=flux, noise=noise), apertures_of(cube), method="psf")

    for one, before, flux in zip(spectra, clean, truth, strict=True):
        assert_array_equal(np.flatnonzero(one.mask), [10])
        kept = ~one.mask
        assert np.all(one.noise[kept] > 0)
        assert np.std(((one.flux - flux) / one.noise)[kept]) < 1.3
        assert np.all(one.coverage <= before.coverage + 1e-6)


def test_a_star_without_data_is_told_and_the_others_go_on():
    cube, truth = make_field()
    flux = cube.flux.copy()
    flux[:, :, 9:] = np.nan

    spectra = extract_spectra(dataclasses.replace(cube, flux=flux), apertures_of(cube), method="psf")

    assert spectra[4].mask.all()
    assert spectra[4].note.startswith("no data: at most")
    assert_allclose(spectra[1].flux, truth[1], rtol=0.05)
    nothing = dataclasses.replace(cube, flux=np.full(cube.shape, np.nan, dtype=np.float32))
    assert {one.note for one in extract_spectra(nothing, apertures_of(cube), method="psf")} == {
        "no data where the star is"
    }


def test_calibrated_fluxes_do_not_underflow():
    cube, _ = make_field()
    tiny = dataclasses.replace(cube, flux=cube.flux * np.float32(1e-21), noise=cube.noise * np.float32(1e-21))

    for one, expected in zip(*(extract_spectra(each, apertures_of(cube), method="psf") for each in (tiny, cube)),
                             strict=True):  # fmt: skip
        assert_allclose(one.flux, 1e-21 * expected.flux, rtol=1e-3)
        assert_allclose(one.noise, 1e-21 * expected.noise, rtol=1e-3)


def test_background_may_be_tilted_or_none():
    cube, truth = make_field(sigma=0.02)
    rows, columns = np.indices(SHAPE)
    tilted = dataclasses.replace(cube, flux=(cube.flux + 0.5 * rows - 0.3 * columns).astype(np.float32))
    dark = dataclasses.replace(cube, flux=cube.flux - np.float32(BACKGROUND))

    for each, kind in ((tilted, "plane"), (dark, "none")):
        found = extract_spectra(each, apertures_of(cube), method="psf", parameters=ExtractParameters(background=kind))  # type: ignore[arg-type]
        assert_allclose(found[2].flux, truth[2], rtol=0.02)


def test_correlation_of_the_noise_is_in_the_errors():
    cube, truth = make_field(n_wave=400, sigma=0.0001)
    white = np.random.default_rng(1).standard_normal((400, SHAPE[0] + 1, SHAPE[1] + 1))
    values = (white[:, 1:, 1:] + white[:, 1:, :-1] + white[:, :-1, 1:] + white[:, :-1, :-1]) / 2
    resampled = dataclasses.replace(
        cube, flux=(cube.flux + values).astype(np.float32), noise=np.ones_like(cube.flux),
        correlation=np.outer([0.5, 1, 0.5], [0.5, 1, 0.5]),
    )  # fmt: skip

    spectra = extract_spectra(resampled, apertures_of(cube), method="psf")

    pulls = np.array([(one.flux - flux) / one.noise for one, flux in zip(spectra, truth, strict=True)])
    # 2000 values tell the scatter to 2 %.
    assert np.std(pulls) == pytest.approx(1, abs=0.06)
    assert spectra[0].noise_correlated
    assert spectra[0].psf is not None
    assert spectra[0].psf.noise_factor > 1.4


def test_what_is_held_is_not_fitted():
    cube, _ = make_field()
    held = ExtractParameters(
        fwhm_arcsec=0.6, fwhm_error=0, beta=3.5, beta_error=0, exponent_error=0, drift_error_arcsec=0,
        shift_error_arcsec=0, position_error_arcsec=0,
    )  # fmt: skip
    apertures = apertures_of(cube)

    fit = extract_spectra(cube, apertures, method="psf", parameters=held)[0].psf

    assert fit is not None
    assert (fit.fwhm_arcsec, fit.beta, fit.exponent) == pytest.approx((0.6, 3.5, -0.2))
    assert fit.drift_arcsec == pytest.approx((0, 0), abs=1e-9)
    assert (fit.ra, fit.dec) == pytest.approx((apertures[0].ra, apertures[0].dec), abs=1e-9)
    assert fit.error_arcsec == 0
    assert fit.psf_chi2 > 10


def test_residual_is_noise():
    cube, _ = make_field((*STARS, (6.0, -1.2, 400.0)))

    spectra, residual = extract_with_residual(cube, apertures_of(cube, (*STARS, (6.0, -1.2, 400.0))))

    left = np.asarray(residual.flux)
    assert len(spectra) == 5
    assert residual.is_lazy
    assert residual.shape == cube.shape
    assert np.std(left) == pytest.approx(0.2, rel=0.05)
    assert np.abs(left.mean(axis=0)).max() < 0.2


WIDE = tuple((5.0 + 9 * row, 6.0 + 10 * column, 300.0 + 40 * column) for row in range(4) for column in range(5))


@pytest.mark.parametrize("in_batches", [False, True], ids=["at once", "in batches"])
def test_a_wide_field_is_divided(monkeypatch: pytest.MonkeyPatch, in_batches: bool):
    import dask.array as da

    stars = (*WIDE, (14.0, 19.0, 350.0), (13.5, 28.0, 500.0))
    cube, truth = make_field(stars, n_wave=24, shape=(38, 52))
    told: list[float] = []
    if in_batches:
        monkeypatch.setattr("napari_kmos.extract.reading._WHOLE_BYTES", 0)
        monkeypatch.setattr("napari_kmos.extract.reading._BATCH_BYTES", 8 * 24 * 40 * 40)
        flux, noise = (da.from_array(each, chunks=(5, -1, -1)) for each in (cube.flux, cube.noise))
        cube = dataclasses.replace(cube, flux=flux, noise=noise)

    spectra, residual = extract_with_residual(
        cube, apertures_of(cube, stars), progress=lambda done, total, _: told.append(done / total)
    )

    assert len(spectra) == len(stars)
    # Widths are those of each part: 20 stars of it are not in the others.
    assert len({one.psf.fwhm_arcsec for one in spectra if one.psf}) > 3
    means = np.array([one.flux.mean() for one in spectra]) / truth.mean(axis=1) - 1
    assert np.median(np.abs(means)) < 0.01
    assert np.abs(means).max() < 0.06
    assert told == sorted(told)
    assert np.std(np.asarray(residual.flux)) == pytest.approx(0.2, rel=0.1)


def test_it_can_be_cancelled():
    cube, _ = make_field()

    def stop(done: int, total: int, text: str) -> None:
        if text == "extracting":
            raise Cancelled

    with pytest.raises(Cancelled):
        extract_spectra(cube, apertures_of(cube), method="psf", progress=stop)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"background": "hills"}, "background is 'hills'; expected one of constant, plane, none"),
        ({"fwhm_arcsec": 0.0}, "fwhm_arcsec is 0.0; expected a positive number"),
        ({"beta": 1.0}, "beta is 1.0; expected more than 1"),
        ({"beta_error": -1.0}, "beta_error is -1.0; expected zero or more"),
        ({"n_bins": 0}, "n_bins is 0; expected one or more"),
        ({"min_light": 1.0}, "min_light is 1.0; expected a share between 0 and 1"),
    ],
)
def test_parameters_that_make_no_sense(parameters: dict[str, object], message: str):
    with pytest.raises(ExtractionError, match=message):
        ExtractParameters(**parameters)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["psf", "optimal"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 14)])
def test_cubes_too_small_for_their_stars_are_no_error(method: str, shape: tuple[int, int]):
    pair = ((0.0, 0.0, 300.0), (0.4, 0.2, 100.0))
    cube, _ = make_field(pair, n_wave=2, shape=shape)
    sharp = dataclasses.replace(cube, noise=np.full(cube.shape, 1e-30, dtype=np.float32))
    apertures = [dataclasses.replace(one, radius_arcsec=0.15) for one in apertures_of(cube, pair)]

    for each in (cube, sharp):
        for spectrum in extract_spectra(each, apertures, method=method):
            assert_array_equal(spectrum.mask, ~np.isfinite(spectrum.flux))
            assert not np.isinf(spectrum.flux).any()


def imperfect_field(*, widths: tuple[float, ...], gain: float, shifts: float, seed: int) -> tuple[Cube, np.ndarray]:
    """Return a cube as exposures of different seeing and slitlets of different sensitivity make it, and its fluxes."""
    cube, _ = make_field(n_wave=48)
    rng = np.random.default_rng(seed)
    places, fluxes = np.array([star[:2] for star in STARS]), np.array([star[2] for star in STARS])
    images = [
        np.tensordot(fluxes, moffats(places + shifts * rng.standard_normal(2), width, 2.8), 1) for width in widths
    ]
    slitlets = 1 + gain * rng.standard_normal((SHAPE[0], 1))
    flux = np.mean(images, axis=0) * slitlets + 0.2 * rng.standard_normal(cube.shape)
    return dataclasses.replace(cube, flux=flux.astype(np.float32)), fluxes


def of_imperfect_fields(**how: object) -> tuple[np.ndarray, np.ndarray, list[PsfFit]]:
    """Return by how much the mean fluxes are off, relative and in sigma, shape (fields, stars), and the fits."""
    off, pulls, fits = [], [], []
    for seed in range(6):
        cube, truth = imperfect_field(seed=seed, **how)  # type: ignore[arg-type]
        spectra = extract_spectra(cube, apertures_of(cube, off=0.1), method="psf")
        flux, noise = (np.array([getattr(one, name).mean() for one in spectra]) for name in ("flux", "noise"))
        off.append(flux / truth - 1)
        pulls.append((flux - truth) / noise)
        assert spectra[0].psf is not None
        fits.append(spectra[0].psf)
    return np.array(off), np.array(pulls), fits


def test_slitlets_of_different_sensitivity_are_in_the_errors():
    """By 2 %: chi2 is large, what makes it 1 is found, and fluxes are off by as much as the errors say."""
    off, pulls, fits = of_imperfect_fields(widths=(3.4,), gain=0.02, shifts=0.0)

    assert np.median([fit.psf_chi2 for fit in fits]) > 4
    # Of 14 slitlets few lie beneath a star, and the fluxes and the profile take up a part of it.
    assert 0.008 < np.median([fit.misfit for fit in fits]) < 0.025
    assert np.median(np.abs(off)) < 0.015
    # Levels of 5 stars that go together in 6 fields; without the misfit 4.
    assert 0.6 < np.sqrt(np.mean(pulls**2)) < 1.5


def test_exposures_of_different_seeing():
    """Their mean is no Moffat profile: it is fitted well in the field, and its wings outside are 2 % too bright."""
    off, _, fits = of_imperfect_fields(widths=(3.0, 4.2), gain=0.0, shifts=0.0)

    assert np.median([fit.psf_chi2 for fit in fits]) < 1.2
    assert np.abs(off).max() < 0.05
    off, pulls, _ = of_imperfect_fields(widths=(3.0, 3.5, 4.0, 4.5), gain=0.02, shifts=0.15)
    assert np.median(np.abs(off)) < 0.04
    assert np.median(np.abs(pulls)) < 2
