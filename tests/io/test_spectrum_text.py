"""A spectrum as text is what `numpy.loadtxt` and model fits read: three columns, no gaps."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from numpy.testing import assert_allclose

from napari_kmos.aperture import Aperture
from napari_kmos.errors import NotKmosError, WriteError
from napari_kmos.io import read_spectrum, write_spectrum, write_spectrum_text
from napari_kmos.spectrum import StarSpectrum


def star_spectrum(n: int = 40) -> StarSpectrum:
    flux = 1e-17 * np.linspace(1, 2, n)
    flux[[3, 4, 20]] = np.nan
    return StarSpectrum(
        aperture=Aperture(
            id="é 1", ra=266.4, dec=-29.0, radius_arcsec=0.5, sky_side="up", excluded_spaxels=((266.4001, -29.0001),)
        ),
        wavelength=np.linspace(1.95, 2.45, n) * u.um,
        flux=flux,
        noise=0.01 * np.abs(flux),
        sky=np.zeros(n),
        mask=~np.isfinite(flux),
        unit=u.Unit("erg / (s cm2 um)"),
        area_pix=19.6,
        coverage=np.ones(n),
    )


def test_text_is_what_starkit_compares_with_models(tmp_path: Path):
    """StarKit takes wavelengths in Angstrom and sums ((flux - model) / uncertainty)^2: one NaN and there is no fit."""
    spectrum = star_spectrum()
    path = write_spectrum_text(spectrum, tmp_path / "s.txt")

    wave, flux, sigma = np.loadtxt(path, unpack=True)
    model = np.interp((wave * u.um).to_value(u.AA), spectrum.wavelength.to_value(u.AA), 1.01 * np.linspace(1, 2, 40))
    likelihood = -0.5 * np.sum(((flux - 1e-17 * model) / sigma) ** 2)

    assert likelihood == pytest.approx(-0.5 * 37, rel=1e-3)  # 1 sigma off in each of 37 wavelengths with data


def test_text_is_what_loadtxt_reads(tmp_path: Path):
    spectrum = star_spectrum()
    path = write_spectrum_text(spectrum, tmp_path / "s.txt")

    wave, flux, noise = np.loadtxt(path, unpack=True)

    kept = ~spectrum.mask
    assert_allclose(wave, spectrum.wavelength_um[kept], atol=5e-9)
    assert_allclose(flux, spectrum.flux[kept], rtol=1e-9)
    assert_allclose(noise, spectrum.noise[kept], rtol=1e-6)
    text = path.read_text(encoding="utf-8")
    assert "# id: \\xe9 1\n" in text
    assert "# wavelengths without data, left out: 3 of 40\n" in text
    assert "# columns: wavelength (micron, vacuum), flux (erg / (s um cm2)), 1 sigma" in text
    with pytest.raises(WriteError, match="exists already"):
        write_spectrum_text(spectrum, path)


@pytest.mark.parametrize(("unit", "medium"), [(u.adu / u.s, "air"), (None, "vacuum")])
def test_text_is_read_back(tmp_path: Path, unit: u.Unit | None, medium: str):
    """With its gaps; planes before the first and behind the last with data are gone."""
    flux = np.append(np.nan, star_spectrum(2048).flux[:-1])
    written = dataclasses.replace(star_spectrum(2048), flux=flux, mask=np.isnan(flux), unit=unit, medium=medium)

    read = read_spectrum(write_spectrum_text(written, tmp_path / "s.txt"))

    assert (read.aperture.id, read.unit, read.medium, read.method) == ("é 1", unit, medium, "aperture")
    assert_allclose([read.aperture.ra, read.aperture.dec, read.aperture.radius_arcsec], [266.4, -29.0, 0.5], rtol=1e-9)
    assert_allclose(read.wavelength_um, written.wavelength_um[1:], atol=5e-9)
    assert_allclose(read.flux, written.flux[1:], rtol=1e-9)
    assert_allclose(read.noise[~read.mask], written.noise[1:][~read.mask], rtol=1e-6)
    assert "no date" in read.note


def test_other_text_is_refused(tmp_path: Path):
    own = write_spectrum_text(star_spectrum(), tmp_path / "own.txt").read_text(encoding="utf-8")
    others = ["2.1 1.0\n2.2 1.1\n", "", "# id: a\n2.1 1 1\n", own + "2.1 x y\n", own + "2.4501 1 1\n", own[:300]]
    for number, text in enumerate(others):
        path = tmp_path / f"{number}.txt"
        path.write_text(text)
        with pytest.raises(NotKmosError, match=f"{number}.txt: text of another kind; expected a spectrum of"):
            read_spectrum(path)


@pytest.mark.parametrize("n_places", [1, 2, 3, 20])
def test_side_and_excluded_spaxels_are_in_the_header(tmp_path: Path, n_places: int):
    places = tuple((266.4 + 1e-5 * number, -29.0) for number in range(n_places))
    aperture = dataclasses.replace(star_spectrum().aperture, excluded_spaxels=places)
    spectrum = dataclasses.replace(star_spectrum(), aperture=aperture)

    read = read_spectrum(write_spectrum(spectrum, tmp_path / "s.fits")).aperture

    assert (read.id, read.sky_side) == ("é 1", "up")
    assert_allclose(read.excluded_spaxels, places, atol=1e-8)
