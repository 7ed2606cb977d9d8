"""A simulated night on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits

from napari_kmos.cli.main import main
from napari_kmos.errors import WriteError
from napari_kmos.io import read_exposure, read_offsets, read_table
from napari_kmos.recipes.simulate import simulate
from napari_kmos.simulate import SimulationParameters, simulate_night

PARAMETERS = SimulationParameters(nz=128, exposures=1, seed=7)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("night")
    return folder, simulate(folder, parameters=PARAMETERS)


def test_exposures_read_back_as_they_were_made(written):
    folder, outcome = written
    night = simulate_night(PARAMETERS)
    assert len(outcome.products) == 4
    assert len({path.name for path in outcome.products}) == 4
    for made, file in zip(night.objects + night.skies, night.files + night.sky_files, strict=True):
        read = read_exposure(folder / file)
        assert (read.kind, read.band, read.ob_name, read.category) == ("exposure", "K", made.ob_name, made.category)
        assert read.dither_arcsec == pytest.approx(made.dither_arcsec)
        assert read.rotation_deg == made.rotation_deg
        assert read.date.mjd == pytest.approx(made.date.mjd, abs=1e-8)
        for one, two in zip(made.arms, read.arms, strict=True):
            assert (one.number, one.name, one.role, one.not_used) == (two.number, two.name, two.role, two.not_used)
            if one.cube is None:
                assert two.cube is None
                continue
            # ALPHA and DELTA are written to a thousandth of a second (of time).
            assert (two.ra, two.dec) == pytest.approx((one.ra, one.dec), abs=5e-6)
            np.testing.assert_array_equal(one.cube.flux, np.asarray(two.cube.flux))
            np.testing.assert_array_equal(one.cube.noise, np.asarray(two.cube.noise))
            np.testing.assert_allclose(one.cube.wavelength_um, two.cube.wavelength_um, rtol=1e-12)
            assert one.cube.unit == two.cube.unit
            np.testing.assert_allclose(one.cube.wcs.wcs.crval, two.cube.wcs.wcs.crval, rtol=1e-14)


def test_files_look_like_the_pipelines(written):
    _, outcome = written
    with fits.open(outcome.products[0]) as hdus:
        names = [f"IFU.{ifu}.{kind}" for ifu in range(1, 25) for kind in ("DATA", "NOISE")]
        assert [hdu.name for hdu in hdus[1:]] == names
        primary = hdus[0].header
        assert primary["ESO PRO REC1 ID"] == "kmos_sci_red"
        assert primary["ESO INS GRAT2 ID"] == "K"
        assert primary["ESO OCS ARM3 TYPE"] == "O"
        assert primary["ESO OCS ARM1 NOTUSED"]
        assert 174000 < primary["ESO OCS ARM3 ALPHA"] < 175000
        header = hdus["IFU.19.DATA"].header
        assert header["ESO DET CHIP INDEX"] == 3
        assert header["ESO QC CUBE_UNIT"] == "ADU/sec"
        assert header["CD1_1"] == header["CDELT1"] == pytest.approx(-0.2 / 3600)
        assert hdus["IFU.1.DATA"].header["NAXIS"] == 0
        data = hdus["IFU.3.DATA"].data
        assert np.all(data[0] == 0)  # no data is zero, as the pipeline has it
        assert np.all(data[:, 0] == 0)
        assert np.isnan(hdus["IFU.19.DATA"].data[60, :, 0]).all()


def test_truth_is_written(written):
    folder, outcome = written
    assert all(path.exists() for path in outcome.extras)
    stars = read_table(folder / "truth.ecsv", required=["id", "kind", "ra", "dec", "radius_arcsec", "isolated"])
    assert len(stars) == outcome.measured["n_stars"]
    offsets = read_offsets(folder / "offsets_truth.ecsv")
    assert {offset.file for offset in offsets} == {path.name for path in outcome.products[:2]}
    levels = read_table(folder / "sky_truth.ecsv", required=["v_upper", "n_upper", "f_upper", "factor"])
    assert len(set(levels["file"])) == 4
    with fits.open(folder / "spectra_truth.fits") as hdus:
        assert hdus["SPECTRA"].data["FLUX"].shape[1] == PARAMETERS.nz
        assert len(hdus["WAVELENGTH"].data) == PARAMETERS.nz
        assert set(hdus["SPECTRA"].data["ID"]) <= set(stars["id"])
    assert len(read_table(folder / "apertures.ecsv")) == outcome.measured["n_isolated"] >= 3


def test_nothing_is_overwritten_unasked(written):
    folder, outcome = written
    before = outcome.products[0].stat().st_mtime_ns
    with pytest.raises(WriteError, match="exists already"):
        simulate(folder, parameters=PARAMETERS)
    assert outcome.products[0].stat().st_mtime_ns == before


def test_command_writes_a_night(tmp_path, capsys):
    words = ["simulate", str(tmp_path / "n"), "--nz", "64", "--ifus", "1", "--epochs", "1", "--exposures", "1"]
    options = ["--band", "H", "--amplitude", "0.2", "--flexure", "0", "--lsf-wing", "0", "--density", "3", "--telluric"]
    assert main([*words, *options, "--json", "-q"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert len(printed["products"]) == 2
    assert read_exposure(printed["products"][0]).band == "H"
    assert main([*words, "-q"]) == 2
    assert "exists already" in capsys.readouterr().err
