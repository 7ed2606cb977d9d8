"""Spectra and responses along the wavelength, of the pipeline and of the project."""

from __future__ import annotations

from pathlib import Path

import factories
import numpy as np
import observed_stars as stars
import pytest
from astropy.io import fits
from astropy.table import Table

from napari_kmos.curve import Curve
from napari_kmos.errors import GeometryError, KmosError, NotKmosError
from napari_kmos.io import read_airmass, read_curves, response_table, write_cube, write_spectrum, write_table

WAVE = np.linspace(1.93, 2.49, 57)
AXIS = {"CRVAL1": 1.93, "CRPIX1": 1.0, "CDELT1": 0.01, "CTYPE1": "WAVE", "CUNIT1": "um"}


def _write(path: Path, *hdus: fits.ImageHDU, **primary: object) -> Path:
    first = fits.PrimaryHDU()
    for key, value in primary.items():
        first.header[f"HIERARCH {key}"] = value
    fits.HDUList([first, *hdus]).writeto(path)
    return path


def test_ifus_with_their_noise_zero_point_and_airmass(tmp_path: Path):
    flux = np.linspace(1, 2, 57)
    flux[:4] = 0  # where the pipeline has no data
    header = fits.Header(AXIS)
    header["HIERARCH ESO QC ZPOINT"] = 20.7
    path = _write(
        tmp_path / "STAR_SPEC.fits",
        fits.ImageHDU(flux, header, name="IFU.3.DATA"),
        fits.ImageHDU(0.1 * flux, fits.Header(AXIS), name="IFU.3.NOISE"),
        fits.ImageHDU(name="IFU.4.DATA"),
        fits.ImageHDU(np.zeros(57), fits.Header(AXIS), name="IFU.5.DATA"),
        **{"ESO TEL AIRM START": 1.1, "ESO TEL AIRM END": 1.3},
    )
    (curve,) = read_curves(path)
    assert (curve.ifu, curve.zero_point, curve.airmass) == (3, 20.7, pytest.approx(1.2))
    np.testing.assert_allclose(curve.wavelength_um, WAVE)
    assert np.isnan(curve.flux[:4]).all()
    np.testing.assert_allclose(curve.noise[4:], 0.1 * flux[4:])


def test_curve_without_ifus_whose_wavelengths_fall(tmp_path: Path):
    axis = AXIS | {"CRVAL1": 2.49, "CDELT1": -0.01}
    (curve,) = read_curves(
        _write(tmp_path / "r.fits", fits.ImageHDU(np.arange(1.0, 58), fits.Header(axis), name="RESPONSE"))
    )
    assert curve.ifu is None
    assert np.isnan(curve.airmass)
    assert curve.flux[0] == 57
    np.testing.assert_allclose(curve.wavelength_um, WAVE)


def test_table_goes_round(tmp_path: Path):
    given = Curve(name="star", wavelength_um=WAVE, flux=WAVE**2, zero_point=19.5)
    (found,) = read_curves(write_table(response_table(given), tmp_path / "r.ecsv"))
    np.testing.assert_allclose(found.flux, given.flux, rtol=1e-6)
    assert found.zero_point == 19.5
    assert np.isnan(found.airmass)


def test_star_spectrum_with_its_airmass(tmp_path: Path):
    seen = stars.see(stars.smooth_star, airmass=1.3, water=1.0, snr=50, rng=np.random.default_rng(1), nz=100)
    primary = fits.Header()
    primary["HIERARCH ESO TEL AIRM START"] = 1.3
    path = write_spectrum(stars.star_spectrum(seen), tmp_path / "spec_a.fits", primary=primary)
    (curve,) = read_curves(path)
    assert curve.airmass == 1.3
    np.testing.assert_allclose(curve.flux, seen.flux)


def test_what_is_no_curve_is_refused(tmp_path: Path):
    cube = write_cube(factories.make_cube(), tmp_path / "cube.fits")
    with pytest.raises(NotKmosError, match="nothing along the wavelength"):
        read_curves(cube)
    air = fits.ImageHDU(np.ones(57), fits.Header(AXIS | {"CTYPE1": "AWAV"}), name="IFU.1.DATA")
    with pytest.raises(KmosError, match="expected vacuum"):
        read_curves(_write(tmp_path / "air.fits", air))
    with pytest.raises(KmosError, match="response"):
        read_curves(write_table(Table({"wavelength_um": WAVE}), tmp_path / "bare.ecsv"))
    with pytest.raises(GeometryError, match="expected as many, ascending"):
        Curve(name="x", wavelength_um=WAVE[::-1], flux=WAVE)


def test_airmass_that_is_none():
    header = fits.Header()
    header["HIERARCH ESO TEL AIRM START"] = 0.0
    assert np.isnan(read_airmass(header))
