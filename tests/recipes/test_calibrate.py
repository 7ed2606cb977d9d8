"""Counts become flux: the truth comes back, the file of the response is named, and bad input is told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import factories
import numpy as np
import observed_stars as stars
import pytest
from astropy.io import fits

from napari_kmos.curve import Curve
from napari_kmos.errors import GeometryError, KmosError, KmosWarning
from napari_kmos.instrument import MAGNITUDES
from napari_kmos.io import (
    read_cube,
    read_exposure,
    read_spectrum,
    response_table,
    write_cube,
    write_exposure,
    write_spectrum,
    write_table,
)
from napari_kmos.recipes.calibrate import calibrate
from napari_kmos.recipes.standards import Standard
from napari_kmos.recipes.telluric import telluric
from napari_kmos.telluric import FLUX_UNIT

#: Counts per second that one unit of flux of 1e-13 gives.
RATE = 50.0
MAGNITUDE = 7.3


def _flux(light, wave: np.ndarray, magnitude: float) -> np.ndarray:
    """Return the flux of a star of a magnitude."""
    k = MAGNITUDES["K"]
    inside = (wave >= k.start_um) & (wave <= k.end_um)
    shape = light(wave)
    return shape / shape[inside].mean() * k.flux * 10 ** (-0.4 * magnitude)


def test_from_a_standard_to_flux_within_three_per_cent(tmp_path: Path):
    rng = np.random.default_rng(8)
    how = {"rng": rng, "snr": 300.0}
    wave = stars.standard(rng).wavelength_um
    scale = RATE * np.median(_flux(stars.hot_star, wave, MAGNITUDE) / stars.hot_star(wave)) / 1e-13
    light = stars.see(stars.hot_star, airmass=1.15, water=2.2, **how)
    table = stars.star_spectrum(dataclasses.replace(light, flux=scale * light.flux, noise=scale * light.noise))
    standard = write_spectrum(table, tmp_path / "standard.fits")
    seen = stars.see(stars.smooth_star, airmass=1.4, water=3.0, **how)
    truth = _flux(stars.smooth_star, wave, 10.0)
    factor = RATE * np.median(truth / stars.smooth_star(wave)) / 1e-13
    target = dataclasses.replace(seen, flux=factor * seen.flux, noise=factor * seen.noise)
    write_spectrum(stars.star_spectrum(target), tmp_path / "spec.fits")
    given = Standard(file=standard, airmass=1.15, magnitude=MAGNITUDE)
    telluric([tmp_path / "spec.fits"], tmp_path / "t", standard=given, airmass=1.4)
    response = tmp_path / "t" / "standard_RESPONSE.ecsv"
    outcome = calibrate(
        [tmp_path / "t" / "spec_TELLURIC.fits"], tmp_path / "f", response=response, check_magnitude=10.0
    )
    found = read_spectrum(outcome.products[0])
    assert found.unit == FLUX_UNIT
    ratio = found.flux / truth
    assert abs(np.nanmedian(ratio) - 1) < 0.03
    assert np.nanstd(ratio[seen.absorbed]) < 0.03  # 0.005 of it is noise
    told = outcome.measured["calibrated"]["spec_TELLURIC_FLUX.fits"]
    assert abs(told["difference"]) < 0.03
    header = fits.getheader(outcome.products[0])
    assert header["ESO QC FLUX RESPONSE"] == "standard_RESPONSE.ecsv"
    assert header["ESO QC FLUX CHECK BAND"] == "K"


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[Path, Path]:
    """A cube in counts per second, and a response for its grating without a zero point."""
    wave = np.linspace(1.92, 2.51, 300)
    curve = Curve(name="RESPONSE", wavelength_um=wave, flux=stars.instrument(wave))
    write_table(response_table(curve), tmp_path / "response.ecsv")
    return write_cube(factories.make_cube(), tmp_path / "cube.fits"), tmp_path / "response.ecsv"


def _write_telluric(path: Path) -> Path:
    """Write a TELLURIC product with the zero points of two IFUs."""
    header = fits.Header({"CRVAL1": 1.92, "CRPIX1": 1.0, "CDELT1": 0.002, "CTYPE1": "WAVE", "CUNIT1": "um"})
    hdus = [fits.PrimaryHDU()]
    for ifu, zero in ((4, 19.0), (5, 20.5)):
        header["HIERARCH ESO QC ZPOINT"] = zero
        hdus.append(fits.ImageHDU(np.ones(300), header, name=f"IFU.{ifu}.DATA"))
    fits.HDUList(hdus).writeto(path)
    return path


def test_cube_gets_its_unit_and_its_zero_point_from_the_telluric_of_its_ifu(inputs, tmp_path: Path):
    cube, response = inputs
    zeros = _write_telluric(tmp_path / "TELLURIC.fits")
    outcome = calibrate([cube], tmp_path / "out", response=response, telluric=zeros)
    assert outcome.measured["calibrated"]["cube_FLUX.fits"]["zero_point"] == 20.5
    found, before = read_cube(outcome.products[0]), read_cube(cube)
    assert found.unit == FLUX_UNIT
    assert "erg" in fits.getheader(outcome.products[0], 1)["BUNIT"]
    flux, noise = np.asarray(found.flux), np.asarray(found.noise)
    np.testing.assert_allclose(flux / noise, np.asarray(before.flux) / np.asarray(before.noise), rtol=1e-5)
    expected = MAGNITUDES["K"].flux * 10 ** (-0.4 * 20.5)
    middle = np.asarray(before.flux)[18, 6, 7] * expected
    assert flux[18, 6, 7] == pytest.approx(middle, rel=0.15)  # the response is about its mean there


def test_star_that_is_not_of_its_magnitude_is_warned_of(inputs, tmp_path: Path):
    cube, response = inputs
    with pytest.warns(KmosWarning, match="has K = .*, the catalogue 3.00"):
        calibrate([cube], tmp_path / "out", response=response, zero_point=20.0, check_magnitude=3.0)


def test_each_ifu_of_an_exposure_has_its_zero_point(inputs, tmp_path: Path):
    _, response = inputs
    path = write_exposure(factories.make_exposure(ifus=(4, 5)), tmp_path / "exposure.fits")
    zeros = _write_telluric(tmp_path / "TELLURIC.fits")
    outcome = calibrate([path], tmp_path / "out", response=response, telluric=zeros)
    assert outcome.measured["calibrated"]["exposure_FLUX.fits"]["zero_points"] == {4: 19.0, 5: 20.5}
    found = read_exposure(outcome.products[0])
    assert [cube.unit for cube in found.cubes] == [FLUX_UNIT] * 2
    assert found.header["ESO QC FLUX IFU4 ZPOINT"] == 19.0
    gain = [
        np.nanmedian(np.asarray(cube.flux) / np.asarray(read_exposure(path).cube(cube.ifu).flux))
        for cube in found.cubes
    ]
    assert gain[0] / gain[1] == pytest.approx(10 ** (0.4 * 1.5), rel=1e-4)
    with pytest.raises(KmosError, match=r"2 IFUs, and a magnitude to check is of one star; choose its IFU \(--ifu\)"):
        calibrate([path], tmp_path / "no", response=response, zero_point=20.0, check_magnitude=9.0)


def test_exposure_of_one_ifu_stays_an_exposure(inputs, tmp_path: Path):
    """Else what reads its arms, as `align` and `combine` do, would take it for a combined cube."""
    _, response = inputs
    path = write_exposure(factories.make_exposure(ifus=(5,)), tmp_path / "exposure.fits")
    (product,) = calibrate([path], tmp_path / "out", response=response, zero_point=20.0).products
    found, before = read_exposure(product), read_exposure(path)
    assert (found.kind, found.category) == (before.kind, before.category)
    assert [arm.number for arm in found.arms] == [arm.number for arm in before.arms]
    assert [(cube.ifu, cube.unit) for cube in found.cubes] == [(5, FLUX_UNIT)]


def test_what_cannot_be_done_is_told(inputs, tmp_path: Path):
    cube, response = inputs
    with pytest.raises(KmosError, match="no zero point in it; give one"):
        calibrate([cube], tmp_path / "a", response=response)
    other = write_cube(factories.make_cube(band="H"), tmp_path / "h.fits")
    with pytest.raises(GeometryError, match="choose the response of that grating"):
        calibrate([other], tmp_path / "b", response=response, zero_point=20.0)
    done = write_cube(factories.make_cube(unit=FLUX_UNIT), tmp_path / "done.fits")
    with pytest.raises(KmosError, match="calibrated already"):
        calibrate([done], tmp_path / "c", response=response, zero_point=20.0)
    with pytest.raises(KmosError, match="nothing along the wavelength"):
        calibrate([cube], tmp_path / "d", response=cube, zero_point=20.0)
    with pytest.raises(KmosError, match="no zero point in it"):
        calibrate([cube], tmp_path / "e", response=response, telluric=response)
