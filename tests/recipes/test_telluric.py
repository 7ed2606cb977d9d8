"""Files corrected by a standard star: what is written, what it says of itself, and what is refused."""

from __future__ import annotations

import dataclasses
import shutil
import tracemalloc
from pathlib import Path

import factories
import numpy as np
import observed_stars as stars
import pytest
from astropy.io import fits
from astropy.table import Table

from napari_kmos.errors import EngineError, GeometryError, KmosError, KmosWarning, NotKmosError, WriteError
from napari_kmos.io import (
    read_cube,
    read_curves,
    read_exposure,
    read_spectrum,
    write_cube,
    write_exposure,
    write_spectrum,
)
from napari_kmos.recipes.standards import Standard
from napari_kmos.recipes.telluric import telluric
from napari_kmos.telluric import TelluricParameters

NZ = 700


def write_star_spec(path: Path, *, airmass: float | None = stars.STANDARD_AIRMASS) -> Path:
    """Write a STAR_SPEC product of the pipeline: IFU 3 and IFU 12, the latter brighter; one IFU is empty."""
    curve = stars.standard(np.random.default_rng(1), nz=NZ)
    hdus = [fits.PrimaryHDU()]
    if airmass is not None:
        hdus[0].header["HIERARCH ESO TEL AIRM START"] = airmass - 0.01
        hdus[0].header["HIERARCH ESO TEL AIRM END"] = airmass + 0.01
    step = curve.wavelength_um[1] - curve.wavelength_um[0]
    cards = {"CRVAL1": curve.wavelength_um[0], "CRPIX1": 1.0, "CDELT1": step, "CTYPE1": "WAVE", "CUNIT1": "um"}
    for ifu, factor in ((3, 50.0), (12, 90.0)):
        for kind, data in (("DATA", curve.flux), ("NOISE", curve.noise)):
            header = fits.Header(cards)
            header["HIERARCH ESO QC ZPOINT"] = 20.0 + ifu / 10
            hdus.append(fits.ImageHDU((factor * data).astype(np.float32), header, name=f"IFU.{ifu}.{kind}"))
    hdus.append(fits.ImageHDU(name="IFU.4.DATA"))
    fits.HDUList(hdus).writeto(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A standard, and a cube with a bright star and its spectrum."""
    folder = tmp_path_factory.mktemp("telluric")
    write_star_spec(folder / "STAR_SPEC.fits")
    seen = stars.see(
        stars.smooth_star, airmass=stars.TARGET_AIRMASS, water=2.9, snr=1e9, rng=np.random.default_rng(2), nz=NZ
    )
    plain = factories.make_cube(shape=(NZ, 13, 15), background=0.0, sigma=0.0)
    rng = np.random.default_rng(3)
    flux = plain.flux * seen.flux[:, None, None] + rng.normal(0, 0.1, plain.shape)
    cube = dataclasses.replace(plain, flux=flux.astype(np.float32), noise=np.full(plain.shape, 0.1, np.float32))
    primary = fits.Header()
    primary["HIERARCH ESO TEL AIRM START"] = stars.TARGET_AIRMASS
    write_cube(cube, folder / "cube.fits", primary=primary, category="COMBINED_CUBE")
    noisy = dataclasses.replace(seen, flux=100 * seen.flux + rng.normal(0, 1, NZ), noise=np.ones(NZ))
    write_spectrum(stars.star_spectrum(noisy), folder / "spec_a.fits", primary=primary)
    return folder


def _standard(folder: Path, **facts: object) -> Standard:
    return Standard(file=folder / "STAR_SPEC.fits", **facts)


def _truth(wave: np.ndarray) -> np.ndarray:
    return stars.smooth_star(wave) * stars.instrument(wave)


def test_cube_and_spectrum_are_corrected(folder: Path, tmp_path: Path):
    files = [folder / "cube.fits", folder / "spec_a.fits"]
    outcome = telluric(files, tmp_path / "new", standard=_standard(folder, magnitude=8.0))
    assert [path.name for path in outcome.products] == ["cube_TELLURIC.fits", "spec_a_TELLURIC.fits"]
    assert all(path.exists() for path in outcome.extras)
    found = read_cube(outcome.products[0])
    star = np.asarray(found.flux)[:, 4, 9]  # the brightest spaxel
    ratio = star / _truth(found.wavelength_um)
    absorbed = stars.see(
        stars.smooth_star, airmass=stars.TARGET_AIRMASS, water=2.9, snr=1e9, rng=np.random.default_rng(2), nz=NZ
    ).absorbed
    level = np.nanmedian(ratio)
    assert np.nanstd(ratio[absorbed] / level) < 0.04  # with the noise, and planes three times as coarse as KMOS's
    before = np.asarray(read_cube(files[0]).flux)[:, 4, 9] / _truth(found.wavelength_um)
    assert np.nanstd(before[absorbed] / np.nanmedian(before)) > 0.08
    spectrum = read_spectrum(outcome.products[1])
    assert np.nanstd((spectrum.flux / _truth(spectrum.wavelength_um))[absorbed]) < 0.04 * 100
    header = fits.getheader(outcome.products[0])
    assert header["ESO QC TELLURIC STANDARD"] == "STAR_SPEC.fits IFU.12.DATA"  # the target has IFU 5: the brightest
    assert header["ESO QC TELLURIC WIN2 UM"].startswith("2.06")
    assert header["ESO QC TELLURIC WIN1 WATER"] > 1
    assert "STAR_SPEC.fits" in "".join(str(header["HISTORY"]).split("\n"))
    table = Table.read(outcome.products[0].with_suffix(".ecsv"))
    assert len(table) == 3
    assert outcome.products[0].with_suffix(".png").stat().st_size > 10_000
    (response,) = read_curves(tmp_path / "new" / "STAR_SPEC_RESPONSE.ecsv")
    assert np.isfinite(response.zero_point)
    assert response.airmass == pytest.approx(stars.STANDARD_AIRMASS)
    with pytest.raises(WriteError, match="exists"):
        telluric(files, tmp_path / "new", standard=_standard(folder))


def test_standard_from_a_cube(folder: Path, tmp_path: Path):
    plain = factories.make_cube(shape=(NZ, 13, 15), background=0.0, sigma=0.0, stars=[(6.2, 7.1, 900.0)])
    curve = stars.standard(np.random.default_rng(1), nz=NZ)
    flux = plain.flux * curve.flux[:, None, None] + np.random.default_rng(2).normal(0, 0.01, plain.shape)
    noise = np.full(plain.shape, 0.01, np.float32)
    write_cube(dataclasses.replace(plain, flux=flux.astype(np.float32), noise=noise), tmp_path / "std.fits")
    given = Standard(file=tmp_path / "std.fits", airmass=stars.STANDARD_AIRMASS)
    outcome = telluric([folder / "spec_a.fits"], tmp_path / "out", standard=given)
    (fit, *_) = outcome.measured["windows"]["spec_a_TELLURIC.fits"]
    assert fit["water"] > 1
    with pytest.raises(KmosError, match=r"--standard-airmass"):
        telluric([folder / "spec_a.fits"], tmp_path / "other", standard=Standard(file=tmp_path / "std.fits"))


def test_cube_without_units_of_its_axes(folder: Path, tmp_path: Path):
    """Wavelengths without CUNIT are in micron where that can be believed, here as in all that reads cubes."""
    path = tmp_path / "bare.fits"
    shutil.copy(folder / "cube.fits", path)
    with fits.open(path, mode="update") as hdus:
        for hdu in hdus[1:]:
            for axis in (1, 2, 3):
                hdu.header.remove(f"CUNIT{axis}", ignore_missing=True)
    found, usual = (
        telluric([file], tmp_path / name, standard=_standard(folder)).products[0]
        for name, file in (("bare", path), ("usual", folder / "cube.fits"))
    )
    np.testing.assert_array_equal(read_cube(found).wavelength_um, read_cube(usual).wavelength_um)
    np.testing.assert_array_equal(np.asarray(read_cube(found).flux), np.asarray(read_cube(usual).flux))


def test_spectrum_to_which_all_are_fitted(folder: Path, tmp_path: Path):
    how = {"standard": _standard(folder, ifu=3), "reference": folder / "spec_a.fits"}
    outcome = telluric([folder / "cube.fits"], tmp_path, **how)
    header = fits.getheader(outcome.products[0])
    assert header["ESO QC TELLURIC STANDARD"].endswith("IFU.3.DATA")
    assert [header[f"ESO PRO REC1 RAW{n} NAME"] for n in (1, 2, 3)] == ["cube.fits", "STAR_SPEC.fits", "spec_a.fits"]


@pytest.fixture(scope="module")
def exposure(folder: Path) -> Path:
    """IFUs 3 and 5 with a star seen through the air, IFU 22 with noise alone."""
    (cube,) = read_exposure(folder / "cube.fits").cubes
    plain = factories.make_exposure(shape=cube.shape)
    empty = np.random.default_rng(4).normal(0, 0.1, cube.shape).astype(np.float32)
    lit = {3: np.asarray(cube.flux), 5: 2 * np.asarray(cube.flux), 22: empty}
    arms = tuple(
        dataclasses.replace(arm, cube=dataclasses.replace(arm.cube, flux=lit[arm.number], noise=cube.noise))
        if arm.cube is not None
        else arm
        for arm in plain.arms
    )
    header = plain.header.copy()
    header["HIERARCH ESO TEL AIRM START"] = stars.TARGET_AIRMASS
    return write_exposure(dataclasses.replace(plain, arms=arms, header=header), folder / "exposure.fits")


def test_all_ifus_of_an_exposure_are_corrected(folder: Path, exposure: Path, tmp_path: Path):
    with pytest.warns(KmosWarning, match="no bright star in IFU 22; the absorption there is scaled as in IFU 5"):
        outcome = telluric([exposure], tmp_path, standard=_standard(folder))
    found = read_exposure(outcome.products[0])
    assert [cube.ifu for cube in found.cubes] == [3, 5, 22]
    windows = outcome.measured["windows"]["exposure_TELLURIC.fits"]
    assert [fit["ifu"] for fit in windows] == [3] * 3 + [5] * 3 + [22] * 3
    # IFU 3 has a standard of its own, the others have the brightest: their star is that of IFU 5
    assert [fit["water"] for fit in windows[6:]] == [fit["water"] for fit in windows[3:6]]
    assert not any(fit["note"] for fit in windows)
    header = found.header
    assert header["ESO QC TELLURIC IFU3 STANDARD"] == "STAR_SPEC.fits IFU.3.DATA"
    assert header["ESO QC TELLURIC IFU5 STANDARD"] == "STAR_SPEC.fits IFU.12.DATA"
    before, after = (np.asarray(read_exposure(path).cube(5).flux)[:, 4, 9] for path in (exposure, outcome.products[0]))
    wave = found.cube(5).wavelength_um
    deep = (wave > 2.0) & (wave < 2.02)
    assert np.nanmedian((after / before)[deep]) > 1.03
    table = Table.read(outcome.products[0].with_suffix(".ecsv"))
    assert set(table["ifu"]) == {3, 5, 22}
    assert sum(path.suffix == ".png" for path in outcome.extras) == 3


def test_one_ifu_of_an_exposure(folder: Path, exposure: Path, tmp_path: Path):
    outcome = telluric([exposure], tmp_path, standard=_standard(folder), ifu=3)
    assert read_cube(outcome.products[0]).ifu == 3


def test_mosaics_are_not_read_whole(tmp_path: Path):
    """Whether a file holds a spectrum is told by its header."""
    path = write_cube(factories.make_cube(shape=(300, 90, 110)), tmp_path / "large.fits")
    tracemalloc.start()
    with pytest.raises(NotKmosError, match="not a star spectrum"):
        read_spectrum(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.2 * path.stat().st_size


def test_what_cannot_be_done_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bare = write_cube(factories.make_cube(shape=(NZ, 13, 15)), tmp_path / "bare.fits")
    with pytest.raises(KmosError, match=r"bare.fits: its header tells no airmass .*--airmass"):
        telluric([bare], tmp_path / "a", standard=_standard(folder))
    other = write_cube(factories.make_cube(shape=(NZ, 13, 15), band="H"), tmp_path / "other.fits")
    with pytest.raises(GeometryError, match="expected a standard of the same band"):
        telluric([other], tmp_path / "b", standard=_standard(folder), airmass=1.2)
    with pytest.raises(KmosError, match="no standard in IFU 7; IFUs with data: 3, 12"):
        telluric([bare], tmp_path / "c", standard=_standard(folder, ifu=7), airmass=1.2)
    old = Standard(file=write_star_spec(tmp_path / "old.fits", airmass=None))
    with pytest.raises(KmosError, match=r"old.fits: its header tells no airmass .*--standard-airmass"):
        telluric([bare], tmp_path / "d", standard=old, airmass=1.2)
    empty = write_cube(factories.make_cube(shape=(NZ, 13, 15), stars=[]), tmp_path / "empty.fits")
    with pytest.raises(KmosError, match="no star stands out"):
        telluric([empty], tmp_path / "e", standard=_standard(folder), airmass=1.2)
    with pytest.raises(KmosError, match="some have the same name"):
        telluric([bare, tmp_path / "sub" / "bare.fits"], tmp_path / "f", standard=_standard(folder), airmass=1.2)
    monkeypatch.setitem(__import__("sys").modules, "pymolfit", None)
    with pytest.raises(EngineError, match="pymolfit is not installed"):
        telluric([folder / "cube.fits"], tmp_path / "g", standard=None, parameters=TelluricParameters())
    assert not any((tmp_path / name).exists() for name in "abcdefg")
