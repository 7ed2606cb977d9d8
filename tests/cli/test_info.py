"""`info` says what is in files of every layout, and how they were made."""

from __future__ import annotations

import json
import math

import factories
import fits_files
import foreign_files
import numpy as np
import pytest
from astropy.io import fits

from napari_kmos.cli.main import main
from napari_kmos.cube import Image
from napari_kmos.io import write_cube, write_exposure, write_image
from napari_kmos.provenance import Step


def _told(capsys, *paths):
    assert main(["info", *map(str, paths), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["measured"]["files"]


@pytest.mark.parametrize("noise", [True, False], ids=["48 extensions", "24 extensions"])
def test_exposure(tmp_path, capsys, noise):
    """Arms in use and not, with targets, sizes, positions, wavelengths, noise."""
    path = fits_files.write_exposure(tmp_path / "a.fits", noise=noise)
    (told,) = _told(capsys, path)
    assert told["kind"] == "exposure"
    assert (told["band"], told["object"], told["ob"]) == ("K", "field", "GC_OB1")
    assert told["date"].startswith("2017-09-04T06:00")
    assert [(cube["ifu"], cube["target"]) for cube in told["cubes"]] == [(3, "star3"), (22, "star22")]
    cube = told["cubes"][0]
    assert cube["size_yx"] == [fits_files.N_Y, fits_files.N_X]
    assert cube["planes"] == fits_files.N_WAVE
    # CRPIX3 = 2 at 2.0 um with 0.01 um steps.
    assert cube["wavelength_um"] == pytest.approx([1.99, 1.99 + 0.01 * (fits_files.N_WAVE - 1)])
    # CRPIX 4, 3 is the middle of 7 x 5.
    assert cube["centre_deg"] == pytest.approx([factories.RA, factories.DEC])
    assert cube["scale_arcsec"] == pytest.approx(0.2)
    assert cube["noise"] == ("stored" if noise else "none")
    assert len(told["unused_arms"]) == 22
    assert main(["info", str(path)]) == 0
    text = capsys.readouterr().out
    assert "arms without data: 1-2, 4-21, 23-24 (NotInPAF/Locked)" in text
    assert "IFU  target" in text


def test_how_it_was_made(tmp_path, capsys):
    """Recipe blocks with the parameters that are not the default, found by name."""
    exposure = factories.make_exposure(shape=(4, 3, 5))
    for key, value in (
        ("REC1 ID", "kmos_sci_red"),
        ("REC1 PIPE ID", "kmos/4.5.10"),
        ("REC1 RAW1 NAME", "KMOS.fits"),
        ("REC1 PARAM12 NAME", "pix_scale"),
        ("REC1 PARAM12 VALUE", ("0.1", "Default: 0.2")),
        ("REC1 CAL1 NAME", "XCAL_KKK.fits"),
        ("REC1 CAL1 CATG", "XCAL"),
        ("REC1 PARAM7 NAME", "oscan"),
        ("REC1 PARAM7 VALUE", ("true", "Default: true")),
    ):
        exposure.header[f"HIERARCH ESO PRO {key}"] = value
    exposure.header.add_history("flat field exchanged by hand")
    step = Step(
        name="sky-tweak", parameters={"method": "plain", "shift": True}, defaults={"method": "davies", "shift": True}
    )
    path = write_exposure(exposure, tmp_path / "a.fits", step=step)
    (told,) = _told(capsys, path)
    first, second = told["recipes"]
    assert first == {
        "recipe": "kmos_sci_red",
        "version": "kmos/4.5.10",
        "inputs": 1,
        "changed": {"pix_scale": "0.1"},
        "defaults": {"pix_scale": "0.2"},
        "calibrations": [{"category": "XCAL", "name": "XCAL_KKK.fits"}],
    }
    assert second["recipe"] == "napari-kmos sky-tweak"
    assert second["changed"] == {"method": "plain"}
    assert told["history"][0] == "flat field exchanged by hand"
    assert told["history"][1].endswith("; method=plain, the rest at their defaults")
    main(["info", str(path)])
    text = capsys.readouterr().out
    rows = [line.split() for line in text.splitlines()]
    assert ["1", "kmos_sci_red", "kmos/4.5.10", "1", "pix_scale=0.1", "(default", "0.2)"] in rows
    assert ["step", "1", "with", "XCAL", "XCAL_KKK.fits"] in rows
    assert "history: flat field exchanged by hand" in text


def test_combined_cube_and_image(tmp_path, capsys):
    """One cube, rotated; its image; several files at once, in the order given."""
    wcs = factories.make_wcs(rotation_deg=35.0, scale_arcsec=0.1)
    cube = factories.make_cube(shape=(4, 6, 9), wcs=wcs)
    write_cube(cube, tmp_path / "cube.fits")
    image = Image(data=np.ones((6, 9), dtype=np.float32), wcs=wcs, name="field")
    write_image(image, tmp_path / "image.fits")
    first, second = _told(capsys, tmp_path / "cube.fits", tmp_path / "image.fits")
    assert first["kind"] == "combined"
    assert first["cubes"][0]["position_angle_deg"] == pytest.approx(35.0)
    assert first["cubes"][0]["scale_arcsec"] == pytest.approx(0.1)
    assert first["cubes"][0]["unit"] == "adu / s"
    assert second["kind"] == "image"
    assert second["images"][0]["size_yx"] == [6, 9]
    assert second["images"][0]["unit"] == "unknown"


def test_spectrum(tmp_path, capsys):
    """A spectrum of ours says whose it is."""
    write_cube(factories.make_cube(shape=(80, 13, 15)), tmp_path / "cube.fits")
    table = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: ra, datatype: float64}\n# - {name: dec, datatype: float64}\n"
    table += (
        f"# - {{name: radius_arcsec, datatype: float64}}\nra dec radius_arcsec\n{factories.RA} {factories.DEC} 0.4\n"
    )
    (tmp_path / "stars.ecsv").write_text(table)
    out = tmp_path / "out"
    main(["extract", str(tmp_path / "cube.fits"), "--apertures", str(tmp_path / "stars.ecsv"), "-o", str(out), "-q"])
    capsys.readouterr()
    (told,) = _told(capsys, next(out.glob("spec_*.fits")))
    assert told["kind"] == "spectrum"
    assert (told["spectrum"]["id"], told["spectrum"]["ifu"]) == ("1", 5)
    assert math.isclose(told["spectrum"]["radius_arcsec"], 0.4)
    main(["info", str(next(out.glob("spec_*.fits")))])
    assert "target" in capsys.readouterr().out


def test_file_that_is_none_of_these(tmp_path, capsys):
    """The error speaks of cubes, since those are what most people have."""
    fits.writeto(tmp_path / "a.fits", np.zeros((3, 4)))
    assert main(["info", str(tmp_path / "a.fits")]) == 2
    assert "no cube in it" in capsys.readouterr().err


def test_extensions_that_are_not_used_are_named_with_the_reason(tmp_path, capsys):
    """Tables, images and what has no part in the cube, in the table and in JSON."""
    path, _ = foreign_files.write_foreign(tmp_path, "SCI ERR DQ", "none", "WAVE um")
    with fits.open(path, mode="append") as hdus:
        hdus.append(fits.BinTableHDU.from_columns([fits.Column("a", "E", array=[1.0])], name="HDRTAB"))
        hdus.append(fits.ImageHDU(hdus["SCI"].data[:2], name="WMAP"))
        hdus.append(fits.ImageHDU(hdus["SCI"].data[0], name="GUIDE"))
    (told,) = _told(capsys, path)
    assert told["unused_extensions"] == [
        {"name": "HDRTAB", "reason": "a table"},
        {"name": "WMAP", "reason": "weights"},
        {"name": "GUIDE", "reason": "an image"},
    ]
    assert (told["cubes"][0]["noise"], told["kind"]) == ("stored", "combined")
    assert main(["info", str(path)]) == 0
    assert "  not used: HDRTAB (a table)" in capsys.readouterr().out


@pytest.mark.realdata
def test_real_cube(real_data, capsys):
    """A combined cube of 2014 by pipeline 1.2.8."""
    (told,) = _told(capsys, real_data / "kmos_combined_yj_ifu22.fits")
    (cube,) = told["cubes"]
    assert (told["kind"], told["band"], cube["ifu"], cube["target"]) == ("combined", "YJ", 22, "zmus_z1_166")
    assert cube["size_yx"] == [14, 15]
    assert cube["wavelength_um"] == pytest.approx([1.0, 1.35882], abs=1e-5)
    assert cube["unit"] == "unknown"
    assert told["recipes"][0]["recipe"] == "kmo_combine"
    assert told["recipes"][0]["changed"]["cmethod"] == "median"
