"""Templates of the user's are read from what people have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from numpy.testing import assert_allclose

from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io import read_template, write_table

WAVE = np.linspace(2.2, 2.4, 500)
FLUX = 3e-15 * (1 - 0.3 * np.exp(-0.5 * ((WAVE - 2.3) / 0.001) ** 2))


def check(path: Path, **how: float) -> None:
    template = read_template(path, **how)
    assert_allclose(template.wavelength_um, WAVE, rtol=1e-7)
    assert_allclose(template.flux, FLUX / np.median(FLUX), rtol=1e-6)


def test_tables(tmp_path: Path):
    write_table(Table({"wavelength": WAVE * 1e3 * u.nm, "flux": FLUX}), tmp_path / "giant.v2.ecsv")
    Table({"Wave_Angstrom": WAVE * 1e4, "Norm_Flux": FLUX, "more": FLUX})[["Wave_Angstrom", "Norm_Flux"]].write(
        tmp_path / "t.fits"
    )
    np.savetxt(tmp_path / "two.txt", np.stack([WAVE * 1e4, FLUX], axis=1))
    for name in ("giant.v2.ecsv", "t.fits", "two.txt"):
        check(tmp_path / name)
    assert read_template(tmp_path / "giant.v2.ecsv", resolution=3000).resolution == 3000
    assert read_template(tmp_path / "giant.v2.ecsv").name == "giant"


def test_air_is_told(tmp_path: Path):
    table = Table({"wavelength_um": WAVE, "flux": FLUX}, meta={"medium": "air"})
    path = write_table(table, tmp_path / "air.ecsv")
    check(path)
    assert read_template(path).medium == "air"


def test_images(tmp_path: Path):
    hdu = fits.PrimaryHDU(FLUX[::-1])
    hdu.header.update({"CTYPE1": "LINEAR", "CUNIT1": "um", "CRVAL1": 2.4, "CRPIX1": 1.0, "CDELT1": WAVE[0] - WAVE[1]})
    hdu.writeto(tmp_path / "down.fits")
    check(tmp_path / "down.fits")


def test_what_is_not_finite_is_left_out(tmp_path: Path):
    flux = FLUX.copy()
    flux[7] = np.nan
    template = read_template(write_table(Table({"wavelength_um": WAVE, "flux": flux}), tmp_path / "t.ecsv"))
    assert template.wavelength_um.size == WAVE.size - 1


def test_what_is_no_template(tmp_path: Path):
    write_table(Table({"a": WAVE, "b": FLUX, "c": FLUX}), tmp_path / "names.ecsv")
    write_table(Table({"wavelength_um": WAVE, "flux": -FLUX}), tmp_path / "below.ecsv")
    write_table(Table({"wavelength": WAVE * u.kg, "flux": FLUX}), tmp_path / "kg.ecsv")
    with pytest.raises(KmosError, match="columns a, b, c; expected wavelengths and flux"):
        read_template(tmp_path / "names.ecsv")
    with pytest.raises(KmosError, match="no spectrum; expected four wavelengths"):
        read_template(tmp_path / "below.ecsv")
    with pytest.raises(NotKmosError, match="wavelengths are in kg; expected a length"):
        read_template(tmp_path / "kg.ecsv")
    with pytest.raises(NotKmosError, match="no such file"):
        read_template(tmp_path / "none.txt")
