"""Maps of a line as files that astropy and others open."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import factories
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS

from napari_kmos.errors import KmosError, WriteError
from napari_kmos.io import read_images, write_cube, write_exposure
from napari_kmos.recipes.map import map_cube
from napari_kmos.spectral import MapParameters, make_maps

LINE, BESIDE = (2.17, 2.23), ((2.10, 2.16), (2.24, 2.31))


def line_cube(**facts: object):
    cube = factories.make_cube(shape=(120, 9, 12), stars=(), wcs=factories.make_wcs(rotation_deg=20.0))
    profile = 90 * np.exp(-0.5 * ((cube.wavelength_um - 2.2) / 0.01) ** 2)
    flux = (np.asarray(cube.flux) + profile[:, None, None]).astype(np.float32)
    return dataclasses.replace(cube, **{"flux": flux, **facts})


def test_every_map_is_a_file_with_noise_sky_and_unit(tmp_path: Path):
    cube = line_cube()
    file = write_cube(cube, tmp_path / "cube.fits")
    outcome = map_cube(file, tmp_path / "maps", line_um=LINE, continuum_um=BESIDE)
    names = ["LINE", "CONTINUUM", "BAND", "MOMENT0", "MOMENT1", "MOMENT2", "SNR"]
    assert [path.name for path in outcome.products] == [f"MAP_target_{name}.fits" for name in names]
    expected = make_maps(cube, line_um=LINE, continuum_um=BESIDE).by_name()
    for name, path in zip(names, outcome.products, strict=True):
        with fits.open(path) as hdus:
            assert [hdu.name for hdu in hdus] == ["PRIMARY", "target.DATA", "target.NOISE"][: 2 if name == "SNR" else 3]
            np.testing.assert_allclose(hdus[1].data, expected[name].data, rtol=1e-5)
            sky = WCS(hdus[1].header)
            np.testing.assert_allclose(sky.wcs_pix2world(3, 5, 0), cube.wcs.wcs_pix2world(3, 5, 0), atol=1e-9)
            assert u.Unit(hdus[1].header["BUNIT"]) == expected[name].unit
            assert "HISTORY" in hdus[0].header
        (read,) = read_images(path)
        if name != "SNR":
            np.testing.assert_allclose(read.noise, expected[name].noise, rtol=1e-5)
            assert read.unit == expected[name].unit
    record = json.loads(outcome.extras[0].read_text())
    assert (record["step"], record["parameters"]["line"]) == ("map", "2.17-2.23")
    assert len(record["products"]) == 7
    told = outcome.measured["maps"]["MOMENT1"]
    assert told == {"unit": "um", "median": pytest.approx(2.2, abs=1e-3), "spaxels": 108}


def test_maps_are_those_asked_for_of_the_ifu_asked_for(tmp_path: Path):
    exposure = factories.make_exposure(shape=(120, 9, 12), noise=None)
    file = write_exposure(exposure, tmp_path / "exposure.fits")
    parameters = MapParameters(moments=(0,))
    outcome = map_cube(file, tmp_path, line_um=LINE, parameters=parameters, ifu=22)
    assert [path.name for path in outcome.products] == [
        f"MAP_star22_{name}.fits" for name in ("LINE", "BAND", "MOMENT0", "SNR")
    ]
    assert fits.getheader(outcome.products[0])["ESO QC NOISE ESTIMATED"]
    (image,) = read_images(outcome.products[0])
    assert (image.name, image.ifu) == ("star22", 22)


def test_an_earlier_map_is_kept_and_nothing_is_written_beside_it(tmp_path: Path):
    file = write_cube(line_cube(), tmp_path / "cube.fits")
    (tmp_path / "MAP_target_SNR.fits").touch()
    with pytest.raises(WriteError, match=r"MAP_target_SNR\.fits: exists"):
        map_cube(file, tmp_path, line_um=LINE)
    assert len(list(tmp_path.iterdir())) == 2
    map_cube(file, tmp_path, line_um=LINE, overwrite=True)
    with pytest.raises(KmosError, match="no data for IFU 7"):
        map_cube(file, tmp_path / "other", line_um=LINE, ifu=7)
    assert not (tmp_path / "other").exists()
