"""A written spectrum is the same spectrum when read, by us and by specutils without a hint."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from numpy.testing import assert_allclose, assert_array_equal

from napari_kmos.aperture import Aperture
from napari_kmos.errors import GeometryError, NotKmosError, WriteError
from napari_kmos.io import exposure_facts, read_spectrum, with_exposure_times, write_spectrum
from napari_kmos.provenance import Step
from napari_kmos.spectrum import PsfFit, StarSpectrum
from napari_kmos.times import ExposureTime

N = 50
CALIBRATED = u.Unit("1e-18 erg / (s cm2 Angstrom)")


def star_spectrum(**facts: object) -> StarSpectrum:
    rng = np.random.default_rng(4)
    mask = np.arange(N) % 17 == 3
    spectrum = StarSpectrum(
        aperture=Aperture(id="12", ra=266.4170001, dec=-29.0078, radius_arcsec=0.45),
        wavelength=(1.925 + 0.00028 * np.arange(N)) * u.um,
        flux=np.where(mask, np.nan, 100 + rng.standard_normal(N)),
        noise=np.where(mask, np.nan, 1.0),
        sky=30 + rng.standard_normal(N),
        mask=mask,
        unit=u.adu / u.s,
        target="GC-7",
        ifu=7,
        area_pix=15.9,
        coverage=np.where(mask, 0.3, 1.0),
        snr=81.25,
        snr_noise=100.5,
        snr_windows=((2.242, 2.258), (2.268, 2.279)),
        parameters={"sky": "annulus", "inner": 2.0, "outer": 3.0, "min_coverage": 0.8},
        n_sky=63,
        noise_estimated=True,
        exptime=100.0,
        note="4 % of the aperture has no data, scaled up",
        source="COMBINE_GC-7.fits[GC-7.DATA]",
    )
    return dataclasses.replace(spectrum, **facts)


def assert_same_spectrum(actual: StarSpectrum, expected: StarSpectrum) -> None:
    for name in ("flux", "noise", "sky", "mask", "coverage"):
        assert_array_equal(getattr(actual, name), getattr(expected, name), err_msg=name)
    # The axis is stored as start and step, so a wavelength may differ in the last digit.
    assert_allclose(actual.wavelength_um, expected.wavelength_um, rtol=1e-14)
    skipped = {"flux", "noise", "sky", "mask", "coverage", "wavelength"}
    for field in dataclasses.fields(expected):
        if field.name not in skipped:
            assert repr(getattr(actual, field.name)) == repr(getattr(expected, field.name)), field.name


@pytest.mark.parametrize("unit", [u.adu / u.s, CALIBRATED, u.Unit("W m-2 um-1"), None], ids=str)
def test_spectrum_survives_the_round_trip(tmp_path: Path, unit: u.UnitBase | None):
    spectrum = star_spectrum(unit=unit, parameters=dict(star_spectrum().parameters))

    read = read_spectrum(write_spectrum(spectrum, tmp_path / "s.fits"))

    assert (read.unit is None) == (unit is None)
    assert unit is None or u.allclose(1 * read.unit, 1 * unit)
    assert_same_spectrum(dataclasses.replace(read, unit=unit, parameters=dict(read.parameters)), spectrum)


@pytest.mark.parametrize("unit", [u.adu / u.s, CALIBRATED, u.adu, None], ids=str)
def test_specutils_opens_it_without_a_hint(tmp_path: Path, unit: u.UnitBase | None):
    from specutils import Spectrum

    spectrum = star_spectrum(unit=unit)
    path = write_spectrum(spectrum, tmp_path / "spec_GC-7_ifu7_12.fits")

    read = Spectrum.read(path)

    expected = u.dimensionless_unscaled if unit is None else unit
    assert u.allclose(1 * read.flux.unit, 1 * expected)
    assert_array_equal(read.flux.value, spectrum.flux)
    assert_array_equal(read.uncertainty.array, spectrum.noise)
    assert read.uncertainty.uncertainty_type == "std"
    assert_array_equal(read.mask, spectrum.mask)
    assert read.spectral_axis.unit == u.um
    assert_allclose(read.spectral_axis.value, spectrum.wavelength_um, rtol=1e-14)
    header = read.meta["header"]
    assert (header["STARID"], header["OBJECT"], header["ESO PRO IFUNR"]) == ("12", "GC-7", 7)
    assert (header["RA"], header["APRADIUS"], header["SKYKIND"]) == (266.4170001, 0.45, "annulus")
    assert (header["SNR"], header["SNRWIN"]) == (81.25, "2.242-2.258,2.268-2.279")


def test_to_specutils_copies_all_it_knows():
    spectrum = star_spectrum()

    converted = spectrum.to_specutils()
    converted.flux[0] = 5 * u.adu / u.s

    assert spectrum.flux[0] != 5
    assert converted.spectral_axis.unit == u.um
    assert converted.uncertainty.uncertainty_type == "std"
    assert converted.meta["id"] == "12"


HOSTILE = "star {1}/é'\n\\x ß " + "long " * 40


def test_hostile_texts_survive(tmp_path: Path):
    aperture = Aperture(id=HOSTILE, ra=1.0, dec=-1.0, radius_arcsec=0.4)
    spectrum = star_spectrum(aperture=aperture, target="ß Cen\t", note=HOSTILE, source=HOSTILE)

    read = read_spectrum(write_spectrum(spectrum, tmp_path / "s.fits"))

    assert read.aperture.id == HOSTILE.rstrip()  # FITS does not keep blanks at the end
    assert (read.target, read.note, read.source) == ("ß Cen\t", HOSTILE.rstrip(), HOSTILE.rstrip())


def test_header_tells_the_history_and_whence_the_cube_came(tmp_path: Path):
    primary = fits.Header([("INSTRUME", "KMOS"), ("DATE-OBS", "2021-06-01T05:00:00"), ("HIERARCH ESO TEL AIRM", 1.1)])
    step = Step(name="extract", inputs=(Path("cube.fits"),), parameters={"inner": 2.5}, defaults={"inner": 2.0})

    path = write_spectrum(star_spectrum(), tmp_path / "s.fits", step=step, primary=primary)

    header = fits.getheader(path)
    assert (header["INSTRUME"], header["DATE-OBS"]) == ("KMOS", "2021-06-01T05:00:00")
    assert "ESO TEL AIRM" not in header
    assert "extract: cube.fits; inner=2.5" in str(header["HISTORY"])
    assert header["ESO PRO REC1 PARAM1 VALUE"] == "2.5"
    assert header["ESO QC NOISE ESTIMATED"] is True
    with fits.open(path, checksum=True) as hdus:  # a bad checksum would warn, and warnings are errors
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "STD", "MASK", "SKY", "COVERAGE"]


def test_unknown_snr_is_left_out_of_the_header(tmp_path: Path):
    path = write_spectrum(star_spectrum(snr=np.nan, snr_noise=np.inf), tmp_path / "s.fits")

    assert "SNR" not in fits.getheader(path)
    assert np.isnan(read_spectrum(path).snr)


def test_existing_file_is_kept_and_nothing_half_written_is_left(tmp_path: Path):
    path = write_spectrum(star_spectrum(), tmp_path / "s.fits")

    with pytest.raises(WriteError, match="exists already"):
        write_spectrum(star_spectrum(ifu=8), path)
    write_spectrum(star_spectrum(ifu=9), path, overwrite=True)

    assert read_spectrum(path).ifu == 9
    assert [file.name for file in tmp_path.iterdir()] == ["s.fits"]


def test_uneven_wavelengths_are_refused(tmp_path: Path):
    uneven = star_spectrum(wavelength=np.geomspace(1.9, 2.5, N) * u.um)
    with pytest.raises(GeometryError, match="not evenly spaced; resample"):
        write_spectrum(uneven, tmp_path / "s.fits")
    assert list(tmp_path.iterdir()) == []


def test_arrays_must_have_one_length():
    with pytest.raises(GeometryError, match=r"spectrum 12: wavelength has shape \(50,\)"):
        star_spectrum(flux=np.ones(3))


def test_other_files_are_refused(tmp_path: Path):
    text, image, damaged = tmp_path / "a.fits", tmp_path / "b.fits", tmp_path / "c.fits"
    text.write_text("not FITS")
    fits.PrimaryHDU(np.ones((3, 4))).writeto(image)
    write_spectrum(star_spectrum(), damaged)
    with fits.open(damaged, mode="update") as hdus:
        del hdus[0].header["APRADIUS"]

    with pytest.raises(NotKmosError, match="not a FITS file"):
        read_spectrum(text)
    with pytest.raises(NotKmosError, match="not a star spectrum"):
        read_spectrum(image)
    with pytest.raises(NotKmosError, match=r"damaged star spectrum \(KeyError .*APRADIUS"):
        read_spectrum(damaged)
    with pytest.raises(NotKmosError, match="no such file"):
        read_spectrum(tmp_path / "missing.fits")


def test_what_the_psf_tells_is_in_the_header(tmp_path: Path):
    fit = PsfFit(
        ra=266.41701, dec=-29.00781, error_arcsec=0.004, fwhm_arcsec=0.63, fwhm_error_arcsec=0.005, exponent=-0.21,
        beta=2.7, wave_um=2.2125, drift_arcsec=(0.03, -0.02), chi2=1.04, psf_chi2=1.5, noise_factor=1.8,
        blended={"S0-2": -0.81, "Stern ü": 0.1},
    )  # fmt: skip
    spectrum = star_spectrum(method="psf", psf=fit, parameters={"background": "plane", "min_light": 0.1})

    path = write_spectrum(spectrum, tmp_path / "s.fits")

    read = read_spectrum(path)
    assert read.psf == fit
    assert dict(read.parameters) == {"background": "plane", "min_light": 0.1}
    header = fits.getheader(path)
    assert (header["PSFFWHM"], header["BLEND1"], header["BLENDC1"]) == (0.63, "S0-2", -0.81)
    unknown = dataclasses.replace(fit, chi2=float("nan"), blended={})
    assert np.isnan(read_spectrum(write_spectrum(star_spectrum(psf=unknown), tmp_path / "t.fits")).psf.chi2)


def test_date_and_zero_point_come_from_the_cube_unless_known(tmp_path: Path):
    primary = fits.Header({"MJD-OBS": 58000.25})
    primary["HIERARCH ESO QC WAVE ZERO IFU3"] = 0.12
    primary["HIERARCH ESO QC WAVE ZERO IFU3 ERROR"] = 0.01
    star = star_spectrum(ifu=3)

    told = read_spectrum(write_spectrum(star, tmp_path / "a.fits", primary=primary))
    known = dataclasses.replace(star, mjd=57000.0, zero_pix=-0.3)
    own = read_spectrum(write_spectrum(known, tmp_path / "b.fits", primary=primary))
    other = read_spectrum(write_spectrum(dataclasses.replace(star, ifu=4), tmp_path / "c.fits", primary=primary))

    assert (told.exposures, told.n_combined) == ((), 1)
    assert (told.mjd, told.zero_pix, told.zero_err_pix) == (58000.25, 0.12, 0.01)
    assert told.middle_mjd == pytest.approx(58000.25 + 0.5 * (star.exptime or 0) / 86400)
    assert (own.mjd, own.zero_pix) == (57000.0, -0.3)
    assert np.isnan(own.zero_err_pix)
    assert np.isnan(other.zero_pix)
    dates = {"mjd": 58000.25, "exposures": (), "n_combined": 1}
    assert exposure_facts(primary, 3) == {**dates, "zero_pix": 0.12, "zero_err_pix": 0.01}


def test_exposures_of_a_combined_cube_are_kept(tmp_path: Path):
    times = (ExposureTime(58000.25, 600.0), ExposureTime(58182.5, 300.0))
    primary = with_exposure_times(fits.Header([("MJD-OBS", 58000.2465)]), times)
    eso = fits.Header([("MJD-OBS", 58000.25), ("HIERARCH ESO PRO DATANCOM", 6)])
    eso["HIERARCH ESO PRO CATG"] = "COMBINED_CUBE"

    ours, theirs = (
        read_spectrum(write_spectrum(star_spectrum(), tmp_path / f"{number}.fits", primary=header))
        for number, header in enumerate((primary, eso))
    )

    assert ours.exposures == times
    assert ours.middle_mjd == pytest.approx((2 * 58000.25 + 58182.5) / 3, abs=1e-7)
    assert (theirs.exposures, theirs.n_combined, theirs.mjd) == ((), 6, 58000.25)
