"""Bad input ends with exit status 2 and one line that says what to do; nothing is left behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import factories
import numpy as np
import product_trees as trees
import pytest
from astropy import units as u
from astropy.io import fits

from napari_kmos.aperture import Aperture
from napari_kmos.cli.main import main
from napari_kmos.io import write_apertures, write_cube, write_exposure, write_offsets
from napari_kmos.offset import Offset

SHAPE = (64, 9, 11)
RA, DEC = factories.RA, factories.DEC


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Good files, and good files spoilt in one way each."""
    folder = tmp_path_factory.mktemp("files")
    trees.put(folder / "object.fits", mjd=58001.0, shape=SHAPE)
    trees.put(folder / "object2.fits", mjd=58001.02, shape=SHAPE)
    trees.put(folder / "sky.fits", mjd=58001.01, shape=SHAPE, ob="GC_Sky")
    trees.put(folder / "sky_H.fits", mjd=58001.01, shape=SHAPE, band="H")
    trees.put(folder / "wide.fits", mjd=58001.01, shape=(64, 9, 13))
    wave = factories.make_cube(shape=SHAPE).wavelength + 0.001 * u.um
    write_exposure(factories.make_exposure(shape=SHAPE, wavelength=wave, mjd=58001.01), folder / "shifted.fits")
    write_cube(factories.make_cube(shape=SHAPE), folder / "cube.fits")
    shutil.copy(folder / "cube.fits", folder / "copy.fits")
    write_cube(factories.make_cube(shape=(64, 9, 13)), folder / "larger.fits")
    _spoil(folder)
    _write_tables(folder)
    (folder / "readme.txt").write_text("these are not the cubes you are looking for")
    shutil.copy(folder / "readme.txt", folder / "text.fits")
    (folder / "existing").mkdir()
    for name in (
        "object_SKY_TWEAK.fits",
        "COMBINE_star5.fits",
        "offsets.ecsv",
        "spec_star5_ifu5_a.fits",
        "MAP_target_LINE.fits",
        "night.toml",
    ):
        (folder / "existing" / name).touch()
    (folder / "file").touch()
    return folder


def _spoil(folder):
    """Write files that are broken."""
    fits.writeto(folder / "flat.fits", np.zeros((3, 4), dtype=np.float32))
    whole = (folder / "object.fits").read_bytes()
    (folder / "truncated.fits").write_bytes(whole[: len(whole) // 2 + 999])
    with fits.open(folder / "object.fits") as hdus:
        del hdus["IFU.5.NOISE"]
        hdus.writeto(folder / "no_noise5.fits")
    with fits.open(folder / "object.fits") as hdus:
        hdus["IFU.5.DATA"].data[:] = np.nan
        hdus.writeto(folder / "nan5.fits")
    with fits.open(folder / "object.fits") as hdus:
        for number in (3, 5, 22):
            hdus[f"IFU.{number}.DATA"].data[:] = np.nan
        hdus.writeto(folder / "nan.fits")
    exposure = factories.make_exposure(shape=SHAPE, unit=u.Unit("erg / (s cm2 Angstrom)"), mjd=58001.01)
    write_exposure(exposure, folder / "calibrated.fits")


def _write_tables(folder):
    """Write tables that do not fit."""
    (folder / "empty.ecsv").write_text("# %ECSV 1.0\n# ---\n# datatype:\n# - {name: ra, datatype: float64}\nra\n")
    star = Aperture(id="a", ra=RA, dec=DEC, radius_arcsec=0.4)
    write_apertures([star], folder / "stars.ecsv")
    write_apertures([Aperture(id="b", ra=RA + 0.1, dec=DEC, radius_arcsec=0.4)], folder / "outside.ecsv")
    row = {"exposure": 0, "ifu": 5, "dra_arcsec": 0.1, "ddec_arcsec": 0.2, "err_arcsec": 0.01, "method": "hand"}
    write_offsets([Offset(file="other.fits", **row)], folder / "other_offsets.ecsv")
    write_offsets([Offset(file="object.fits", **row)], folder / "some_offsets.ecsv")


COMBINE_USER = "combine object.fits object2.fits -o OUT --method user --offsets"
CASES = [
    ("not FITS", "info text.fits", "text.fits"),
    ("not FITS", "sky-tweak text.fits --sky sky.fits -o OUT", "text.fits"),
    ("not FITS", "combine text.fits -o OUT", "text.fits"),
    ("no such file", "info nothing.fits", "no such file"),
    ("FITS but no cube", "info readme.txt", "readme.txt"),
    ("FITS but no cube", "extract flat.fits --apertures stars.ecsv -o OUT", "no cube in it"),
    ("FITS but no cube", "align flat.fits object.fits -o OUT/offsets.ecsv", "no cube in it"),
    ("truncated", "info truncated.fits", "copy"),
    ("truncated", "sky-tweak truncated.fits --sky sky.fits -o OUT", "copy"),
    ("extension missing", "combine no_noise5.fits -o OUT", "NOISE extension is missing"),
    ("extension missing", "extract no_noise5.fits --apertures stars.ecsv -o OUT", "NOISE extension is missing"),
    ("shapes", "sky-tweak object.fits --sky wide.fits -o OUT", "shape"),
    ("grids", "sky-tweak object.fits --sky shifted.fits -o OUT", "wavelength"),
    ("grids", "combine object.fits shifted.fits -o OUT", "wavelength"),
    ("units", "sky-tweak object.fits --sky calibrated.fits -o OUT", "unit"),
    ("units", "combine object.fits calibrated.fits -o OUT", "unit"),
    ("all NaN", "sky-tweak nan.fits --sky sky.fits -o OUT", "nan.fits"),
    ("all NaN", "extract nan.fits --apertures stars.ecsv -o OUT", "no data"),
    ("other band", "sky-tweak object.fits --sky sky_H.fits -o OUT", "band"),
    ("empty table", "extract cube.fits --apertures empty.ecsv -o OUT", "empty.ecsv"),
    ("outside", "extract cube.fits --apertures outside.ecsv -o OUT", "lies in any cube"),
    ("other files' offsets", f"{COMBINE_USER} other_offsets.ecsv", "object.fits"),
    ("some offsets missing", f"{COMBINE_USER} some_offsets.ecsv", "no row in the offsets"),
    ("exists", "sky-tweak object.fits --sky sky.fits -o existing", "exists"),
    ("exists", "combine object.fits -o existing", "exists"),
    ("exists", "align object.fits object2.fits -o existing/offsets.ecsv", "exists"),
    ("exists", "extract object.fits --apertures stars.ecsv -o existing", "exists"),
    ("exists", "plan . --sky sky.fits -o existing/night.toml", "."),
    ("not writable", "sky-tweak object.fits --sky sky.fits -o file/sub", "cannot write"),
    ("not writable", "combine object.fits -o file", "file"),
    ("not writable", "align object.fits object2.fits -o file/offsets.ecsv", "file"),
    ("not writable", "extract cube.fits --apertures stars.ecsv -o file/sub", "cannot write"),
    ("not writable", "simulate file/sub --nz 64", "cannot write"),
    ("not writable", "demo -o file/sub --no-show", "cannot write"),
    ("unknown IFU", "sky-tweak object.fits --sky sky.fits --ifu 7 -o OUT", "IFU 7"),
    ("unknown IFU", "extract object.fits --apertures stars.ecsv --ifu 7 -o OUT", "IFU 7"),
    ("unknown IFU", "combine object.fits --ifus 7 -o OUT", "7"),
    ("unknown target", "combine object.fits --name nobody -o OUT", "nobody"),
    ("nothing found", "plan existing -o OUT/night.toml", "exposure"),
    ("no plan", "run stars.ecsv -o OUT", "TOML"),
    ("no such step", "run stars.ecsv -o OUT --from cooking", "cooking"),
    ("outside", "map cube.fits -o OUT --line 1.1-1.2", "no plane between 1.1000 and 1.2000 um"),
    ("outside", "map cube.fits -o OUT --line 2.1-2.2 --continuum 1.1-1.2", "no plane between 1.1000 and 1.2000 um"),
    ("outside", "crop cube.fits -o OUT/cut.fits --wave 1.1-1.2", "no plane between 1.1000 and 1.2000 um"),
    ("outside", "crop cube.fits -o OUT/cut.fits --box 10,20,3,3", "lies outside it"),
    ("reversed", "map cube.fits -o OUT --line 2.2-2.1", "does not go upwards"),
    ("reversed", "crop cube.fits -o OUT/cut.fits --wave 2.2-2.1", "does not go upwards"),
    ("no numbers", "map cube.fits -o OUT --line Brg", "'Brg' is not understood"),
    ("no numbers", "map cube.fits -o OUT --line 2.1-2.2 --continuum 2.3", "'2.3' is not understood"),
    ("no numbers", "crop cube.fits -o OUT/cut.fits --box here", "'here' is not understood"),
    ("two lines", "map cube.fits -o OUT --line 2.1-2.2,2.3-2.4", "2 windows; expected one"),
    ("no plane left", "map cube.fits -o OUT --line 2.1-2.2 --continuum 2.12-2.15", "no plane of its own"),
    ("nothing to do", "crop cube.fits -o OUT/cut.fits", "nothing to cut"),
    ("unknown IFU", "map object.fits -o OUT --line 2.1-2.2 --ifu 7", "IFU 7"),
    ("unknown IFU", "crop object.fits -o OUT/cut.fits --ifu 7", "IFU 7"),
    ("several IFUs", "map object.fits -o OUT --line 2.1-2.2", "--ifu"),
    ("exists", "map cube.fits -o existing --line 2.1-2.2", "exists"),
    ("reversed", "splice cube.fits cube.fits -o OUT/joined.fits --edges 2.3,2.1", "edges is (2.3, 2.1)"),
    ("no numbers", "splice cube.fits cube.fits -o OUT/joined.fits --edges K", "'K' is not a list of float"),
    ("number of edges", "splice cube.fits copy.fits -o OUT/joined.fits", "an edge between each two"),
    ("outside", "splice cube.fits copy.fits -o OUT/joined.fits --edges 1.2", "left without a plane"),
    ("fade too long", "splice cube.fits copy.fits -o OUT/joined.fits --edges 2.2 --fade 80", "fades take 80"),
    ("same file", "splice cube.fits cube.fits -o OUT/joined.fits --edges 2.2", "follows itself"),
    ("other spaxels", "splice cube.fits larger.fits -o OUT/joined.fits --edges 2.2", "expected the same field"),
    ("exists", "splice cube.fits copy.fits -o existing/offsets.ecsv --edges 2.2", "exists"),
    ("the input", "splice cube.fits copy.fits -o copy.fits --edges 2.2 --overwrite", "is the input"),
    ("exists", "crop cube.fits -o existing/offsets.ecsv --wave 2.1-2.2", "exists"),
    ("the input", "crop cube.fits -o cube.fits --wave 2.1-2.2 --overwrite", "is the input"),
    ("bad value", "map cube.fits -o OUT --line 2.1-2.2 --moments 0,5", "moments holds 5"),
    ("not writable", "map cube.fits -o file/sub --line 2.1-2.2", "cannot write"),
    ("not writable", "crop cube.fits -o file/cut.fits --wave 2.1-2.2", "file"),
    ("no spectrum", "compare cube.fits -o OUT", "cube.fits"),
    ("bad value", "sky-tweak object.fits --sky sky.fits -o OUT --min-frac 2", "min_frac"),
    ("bad value", "simulate OUT --nz 3", "nz"),
]


@pytest.mark.parametrize(("what", "words", "match"), CASES, ids=[f"{what}: {words}" for what, words, _ in CASES])
def test_bad_input_is_one_line(files, tmp_path, monkeypatch, capsys, what, words, match):
    """Exit status 2, a last line beginning with `error: `, no traceback, no product."""
    monkeypatch.chdir(files)
    before = _listing(files)
    status = main(words.replace("OUT", str(tmp_path / "out")).split())
    out, err = capsys.readouterr()
    assert status == 2, err
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith("error: ")
    assert match in last
    assert "Traceback" not in err
    assert [line for line in err.splitlines() if line.startswith("error: ")] == [last]
    assert _listing(files) == before
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def _listing(folder: Path) -> set[tuple[Path, int]]:
    return {(path, path.stat().st_size) for path in folder.rglob("*")}
