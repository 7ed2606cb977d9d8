"""Mosaics whose coordinates are wrong: solved from a catalogue or from pairs, and written with the same bits."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from factories import DEC, RA, make_cube

from napari_kmos.align.solving import turn_wcs
from napari_kmos.catalogue import CatalogueColumns
from napari_kmos.cli.main import main
from napari_kmos.errors import AlignmentError, KmosError, NotKmosError
from napari_kmos.io import read_cube, read_exposure, read_history, read_table, write_cube, write_exposure
from napari_kmos.recipes.solve_wcs import solve_wcs_of
from napari_kmos.spatial.wcs import make_wcs, offset_arcsec, offset_between, pixel_to_sky, shift_wcs

SHAPE = (7, 90, 131)
RIGHT = make_wcs(RA, DEC, crpix=(20.0, 15.0), rotation_deg=-15.0)
#: What has to be done to the header: arcsec east and north, degrees, scale.
EAST, NORTH, TURN, SCALE = 4.5, -3.5, 1.5, 1.015
WRONG = turn_wcs(shift_wcs(RIGHT, -EAST, -NORTH), -TURN, 1 / SCALE)
MJD = 58849.0  # 2020.0
PM = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A mosaic, and its stars as a catalogue of 2010, when they were elsewhere."""
    folder = tmp_path_factory.mktemp("mosaic")
    rng = np.random.default_rng(4)
    y, x = rng.uniform(2, SHAPE[1] - 3, 40), rng.uniform(2, SHAPE[2] - 3, 40)
    magnitude = rng.uniform(12, 17, 40)
    stars = list(zip(y, x, 10 ** (-0.4 * (magnitude - 20)), strict=True))
    cube = make_cube(shape=SHAPE, stars=stars, wcs=WRONG, ifu=None, name="gc", sigma=0.5)
    cube.flux[:, :20, 60:80] = np.nan
    cube.noise[3, 4, 5] = 0.0
    cube.flux[2, 30, 31] = 0.0
    write_cube(cube, folder / "mosaic.fits", primary=fits.Header([("MJD-OBS", MJD)]))
    ra, dec = pixel_to_sky(RIGHT, y, x)
    years = Time(MJD, format="mjd").jyear - 2010.0
    columns = {"star": [f"S{number}" for number in range(40)], "ra": ra, "dec": dec - PM * years / 3.6e6}
    table = Table({**columns, "Kmag": magnitude, "pmRA": np.zeros(40), "pmDE": np.full(40, PM)})
    table.write(folder / "stars.csv")
    pairs = Table({"x": x[:5] + 1, "y": y[:5] + 1, "ra": ra[:5], "dec": dec[:5]})
    pairs.write(folder / "pairs.csv")
    pairs[:2].write(folder / "two.csv")
    return folder


def corners_off(wcs):
    """How far the corners are from where they should be, in arcsec."""
    y, x = np.array([0, 0, SHAPE[1], SHAPE[1]]), np.array([0, SHAPE[2], 0, SHAPE[2]])
    return np.hypot(*offset_arcsec(*pixel_to_sky(RIGHT, y, x), *pixel_to_sky(wcs, y, x))).max()


def stored(path):
    """Return the bytes of data and noise."""
    raw = path.read_bytes()
    with fits.open(path) as hdus:
        return [raw[place["datLoc"] :][: place["datSpan"]] for place in (hdu.fileinfo() for hdu in hdus)]


#: Solves again, and is killed when the data are written and the noise is not.
KILLED = """
import os, signal, sys
from napari_kmos.recipes.solve_wcs import solve_wcs_of

def tell(done, total, text):
    if text.startswith("writing"):
        os.kill(os.getpid(), signal.SIGKILL)

solve_wcs_of(sys.argv[1], sys.argv[2], pairs=sys.argv[3], overwrite=True, progress=tell)
"""


def columns(**given):
    return CatalogueColumns(**({"catalogue_epoch": "2010"} | given))


def test_mosaic_is_solved_from_a_catalogue(folder, tmp_path):
    outcome = solve_wcs_of(folder / "mosaic.fits", tmp_path, catalogue=folder / "stars.csv", columns=columns())
    copy, residuals = outcome.products
    assert (copy.name, residuals.name) == ("mosaic_WCS.fits", "mosaic_WCS_residuals.ecsv")
    assert corners_off(read_cube(folder / "mosaic.fits").wcs) > 4.0
    # a tenth of a spaxel; without the proper motions all would be 0.6 arcsec to the south
    assert corners_off(read_cube(copy).wcs) < 0.02
    assert stored(copy) == stored(folder / "mosaic.fits")
    told = outcome.measured
    assert (told["rotation_deg"], told["scale"]) == pytest.approx((TURN, SCALE), abs=0.01)
    assert told["shift_err_arcsec"] < 0.01
    table = read_table(residuals, required=("id", "x", "y", "ra", "dec", "dra_arcsec", "ddec_arcsec", "used"))
    assert len(table) == told["stars"] > 20
    rms = np.sqrt(np.mean(table["distance_arcsec"][table["used"]] ** 2))
    assert rms == pytest.approx(told["rms_arcsec"], abs=1e-3)
    assert set(table["id"]) <= {f"S{number}" for number in range(40)}


def test_noise_and_history_too(folder, tmp_path):
    outcome = solve_wcs_of(folder / "mosaic.fits", tmp_path, catalogue=folder / "stars.csv", columns=columns())
    with fits.open(outcome.products[0], checksum=True) as hdus:
        first, second = hdus[1].header, hdus[2].header
        assert [hdu.name for hdu in hdus[1:]] == ["gc.DATA", "gc.NOISE"]
        keys = ("CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CD1_1", "CD1_2", "CD2_1", "CD2_2", "CDELT1", "CDELT2")
        assert [first[key] for key in keys] == [second[key] for key in keys]
        assert hdus[0].header["ESO QC WCS ROT"] == pytest.approx(TURN, abs=0.01)
        assert "solve-wcs" in read_history(hdus[0].header)[-1]
    record = json.loads(outcome.extras[0].read_text())
    assert [one["file"].rsplit("/", 1)[-1] for one in record["inputs"]] == ["mosaic.fits", "stars.csv"]


def test_pairs_by_hand(folder, tmp_path):
    outcome = solve_wcs_of(folder / "mosaic.fits", tmp_path / "a", pairs=folder / "pairs.csv")
    assert corners_off(read_cube(outcome.products[0]).wcs) < 1e-4
    assert outcome.measured["used"] == 5
    again = solve_wcs_of(folder / "mosaic.fits", tmp_path / "b", pairs=outcome.products[1])
    # the table has three digits of a pixel
    assert offset_between(*(read_cube(one.products[0]).wcs for one in (outcome, again))) == pytest.approx(
        (0, 0), abs=1e-3
    )


@pytest.mark.parametrize("is_there", [False, True], ids=["first", "again"])
def test_a_killed_process_leaves_what_was_there(folder, tmp_path, is_there):
    mosaic, out = folder / "mosaic.fits", tmp_path / "out"
    out.mkdir()
    if is_there:
        solve_wcs_of(mosaic, out, catalogue=folder / "stars.csv", columns=columns())
    before = {path: path.read_bytes() for path in [mosaic, *out.iterdir()]}
    arguments = map(str, (mosaic, out, folder / "pairs.csv"))
    assert subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False).returncode == -signal.SIGKILL
    assert {path: path.read_bytes() for path in before} == before
    (left,) = (path for path in out.iterdir() if path not in before)
    assert left.name.startswith(".mosaic_WCS.")  # `run` sweeps these up
    assert 0 < left.stat().st_size < mosaic.stat().st_size
    solve_wcs_of(mosaic, out, pairs=folder / "pairs.csv", overwrite=True)
    assert corners_off(read_cube(out / "mosaic_WCS.fits").wcs) < 1e-4


def test_one_ifu_of_an_exposure(tmp_path, make_exposure):
    write_exposure(make_exposure(shape=(6, 13, 15)), tmp_path / "sci.fits")
    before = read_exposure(tmp_path / "sci.fits")
    right = shift_wcs(before.cube(5).wcs, 0.3, -0.2)
    y, x = np.array([1.0, 11.0, 6.0, 3.0]), np.array([2.0, 5.0, 13.0, 9.0])
    ra, dec = pixel_to_sky(right, y, x)
    Table({"x": x + 1, "y": y + 1, "ra": ra, "dec": dec}).write(tmp_path / "pairs.csv")
    with pytest.raises(KmosError, match="3 cubes where one was expected"):
        solve_wcs_of(tmp_path / "sci.fits", tmp_path, pairs=tmp_path / "pairs.csv")
    outcome = solve_wcs_of(tmp_path / "sci.fits", tmp_path, pairs=tmp_path / "pairs.csv", ifu=5)
    after = read_exposure(outcome.products[0])
    assert offset_between(before.cube(5).wcs, after.cube(5).wcs) == pytest.approx((0.3, -0.2), abs=1e-6)
    assert offset_between(before.cube(3).wcs, after.cube(3).wcs) == (0, 0)


def test_bad_input(folder, tmp_path):
    mosaic = folder / "mosaic.fits"
    with pytest.raises(KmosError, match=r"give one of the two"):
        solve_wcs_of(mosaic, tmp_path)
    with pytest.raises(AlignmentError, match="2 pairs of stars are too few"):
        solve_wcs_of(mosaic, tmp_path, pairs=folder / "two.csv")
    with pytest.raises(KmosError, match="stars: has no column 'y'"):
        solve_wcs_of(mosaic, tmp_path, pairs=folder / "stars.csv", columns=columns())
    with pytest.raises(NotKmosError, match=r"mosaic\.fits: cannot be read as a table"):
        solve_wcs_of(mosaic, tmp_path, pairs=mosaic)
    table = Table.read(folder / "stars.csv")
    table["ra"] += 1.0
    table.write(tmp_path / "far.csv")
    with pytest.raises(AlignmentError, match=r"far\.csv: .* 0 of the catalogue lie near it"):
        solve_wcs_of(mosaic, tmp_path, catalogue=tmp_path / "far.csv", columns=columns())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["far.csv"]


def test_command(folder, tmp_path, capsys):
    words = ["solve-wcs", str(folder / "mosaic.fits"), "-o", str(tmp_path), "--catalogue", str(folder / "stars.csv")]
    assert main([*words, "--catalogue-epoch", "2010.0", "--magnitude", "kmag", "--max-shift-arcsec", "7"]) == 0
    out = capsys.readouterr().out
    assert "mosaic_WCS.fits" in out
    assert "rotation             +1.50" in out
    assert "stars used, rms 0.0" in out
    assert main([*words, "--pm-ra", "pmRA", "--pm-dec", "pmDE", "--overwrite"]) == 2
    assert "does not tell the date of its positions; give it (--catalogue-epoch)" in capsys.readouterr().err
