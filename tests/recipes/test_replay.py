"""Every kind of product is made again from its record, and what differs is told."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from leftover_sky import leftover_exposure

from napari_kmos._version import __version__
from napari_kmos.cli.main import main
from napari_kmos.combine import CombineParameters
from napari_kmos.errors import KmosError, WriteError
from napari_kmos.extract import ExtractParameters
from napari_kmos.io import read_apertures, read_cube, read_offsets, write_apertures, write_exposure, write_table
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.demo_clicks import click_list
from napari_kmos.recipes.extract import extract
from napari_kmos.recipes.history import history
from napari_kmos.recipes.replay import RECIPES, replay
from napari_kmos.recipes.simulate import simulate
from napari_kmos.simulate import SimulationParameters
from napari_kmos.simulate.scene import make_scene
from napari_kmos.spatial.wcs import pixel_to_sky

pytestmark = pytest.mark.filterwarnings("ignore::napari_kmos.errors.KmosWarning")

NIGHT = SimulationParameters(seed=1, ifus=1, exposures=2, epochs=2, skies=1, nz=320, density=8.0)
#: A call for every recipe, in an order in which each finds its inputs; a product of it, and its record.
CALLS = {
    "sky_mask": ("sky-mask sky1.fits -o sky_mask", "sky_mask/sky1_SKY_CLEAN.fits"),
    "sky_tweak": (
        "sky-tweak object0.fits object1.fits --sky sky0.fits sky1.fits -o sky_tweak --pick best",
        "sky_tweak/object1_SKY_TWEAK.fits",
    ),
    "sky_compare": ("sky-tweak object0.fits --sky sky0.fits -o methods --compare-methods --ifu 3", "methods"),
    "sky_second_pass": ("sky-second-pass leftover.fits -o second", "second/leftover_SECOND_PASS.fits"),
    "align": ("align TWEAKED -o align/offsets.ecsv", "align/offsets.ecsv"),
    "align_catalogue": (
        "align TWEAKED -o align/against.ecsv --method stars --catalogue truth.ecsv",
        "align/against.ecsv",
    ),
    "offsets": ("offsets align/offsets.ecsv -o moved --shifts --crval", "moved"),
    "shifts": ("", "moved/shifts_nsd_03.txt"),
    "import_offsets": ("offsets --import moved/shifts_nsd_03.txt -o imported.ecsv", "imported.ecsv"),
    "combine": ("combine TWEAKED --offsets align/offsets.ecsv -o combine --unaccepted header --method user", "combine"),
    "mosaic": ("combine TWEAKED --mosaic -o mosaic --cmethod median", "mosaic/COMBINE_mosaic.fits"),
    "versus": ("combine TWEAKED -o versus --versus 1:2", "versus"),
    "cut": ("cut mosaic/COMBINE_mosaic.fits --from TWEAKED -o cut", "cut"),
    "crop": ("crop CUBE --wave 2.0-2.2 -o crop/cropped.fits", "crop/cropped.fits"),
    "solve_wcs": ("solve-wcs CUBE --pairs pairs.ecsv -o solved", "solved"),
    "telluric": (
        "telluric CUBE --standard standard.ecsv --standard-airmass 1.1 --airmass 1.2 --no-fit -o telluric",
        "telluric",
    ),
    "splice": (
        "splice CUBE telluric/COMBINE_nsd_03_TELLURIC.fits --edges 2.2 -o splice/joined.fits",
        "splice/joined.fits",
    ),
    "calibrate": ("calibrate CUBE --response standard.ecsv --zero-point 20 -o calibrate", "calibrate"),
    "map": ("map CUBE --line 2.1-2.2 --continuum 2.05-2.08,2.25-2.3 -o map", "map"),
    "find": ("find CUBE --threshold 3 -o found.ecsv", "found.ecsv"),
    "extract": ("extract CUBES --apertures stars.ecsv -o extract --sky areas --text", "extract"),
    "extract_psf": ("extract CUBE --apertures stars.ecsv -o psf --method psf --residual", "psf"),
    "measure": ("measure extract -o measure --velocity none", "measure"),
    "compare": ("compare extract -o compare --windows 2.1-2.2", "compare"),
}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """One of everything, from a small simulated night."""
    folder = tmp_path_factory.mktemp("replay")
    night = simulate(folder / "night", parameters=NIGHT)
    for name, of in (("object", "Half"), ("sky", "Sky")):
        for number, path in enumerate(path for path in night.products if of in path.name):
            shutil.copy(path, folder / f"{name}{number}.fits")
    write_exposure(leftover_exposure({2: 1.0, 3: 0.7}, crowded=(3,)), folder / "leftover.fits")
    scene = make_scene(NIGHT)
    write_apertures(click_list(scene), folder / "stars.ecsv")
    shutil.copy(folder / "night/truth.ecsv", folder / "truth.ecsv")
    wave = np.linspace(1.9, 2.52, 400)
    write_table(Table({"wavelength_um": wave, "response": 2.5 - 0.5 * wave}), folder / "standard.ecsv")
    for words in filter(None, (words for words, _ in CALLS.values())):
        if words.startswith("solve-wcs"):
            _write_pairs(folder)
        status = main([*_words(words, folder), "-q"])
        assert status == 0, words
    return folder


def _words(words, folder):
    """Return the words of a call: names of files, and of what is written, lie in the folder."""
    cubes = sorted((folder / "combine").glob("COMBINE_*[0-9].fits"))
    files = {"TWEAKED": sorted((folder / "sky_tweak").glob("*_SKY_TWEAK.fits")), "CUBE": cubes[:1], "CUBES": cubes}
    command, *rest = words.split()
    whole = [command]
    for word in rest:
        is_place = whole[-1] == "-o" or Path(word).suffix in (".fits", ".ecsv", ".txt") or word == "extract"
        whole += [str(one) for one in files.get(word, [folder / word] if is_place else [word])]
    return whole


def _write_pairs(folder):
    x, y = np.array([4.0, 12.0, 3.0]), np.array([2.0, 6.0, 10.0])
    cube = sorted((folder / "combine").glob("COMBINE_*[0-9].fits"))[0]
    ra, dec = pixel_to_sky(read_cube(cube).wcs, y - 1, x - 1)
    write_table(Table({"x": x, "y": y, "ra": ra, "dec": dec}), folder / "pairs.ecsv")


def _record(done, name):
    place = done / CALLS[name][1]
    return sorted(place.glob("*.json"))[0] if place.is_dir() else place


@pytest.fixture
def cropped(done, tmp_path):
    """A cube, what was cut out of it, and the record of that, in a folder that may be changed."""
    shutil.copytree(done / "crop", tmp_path / "crop")
    shutil.copytree(done / "combine", tmp_path / "combine")
    return tmp_path / "crop/cropped.fits"


def _rewrite(product, **changes):
    record = product.with_suffix(".json")
    content = json.loads(record.read_text())
    for path, value in changes.items():
        *outer, last = path.split("__")
        at = content
        for key in outer:
            at = at[int(key)] if isinstance(at, list) else at[key]
        at[last] = value
    record.write_text(json.dumps(content))


def test_every_recipe_is_tried():
    """What can be made again is what is made again below."""
    assert set(RECIPES) <= set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_made_again_it_is_equal(name, done, tmp_path):
    """Whatever made it, from the record or the product."""
    outcome = replay(_record(done, name), tmp_path / "again")
    assert outcome.measured["equal"], outcome.measured["differences"]
    assert outcome.measured["differences"]
    assert outcome.measured["versions"] == {}
    assert outcome.measured["parameters"] == {}


def test_decisions_that_no_file_holds_are_in_the_record(done, tmp_path):
    """Apertures and offsets as a panel has them, never saved."""
    (cube,) = sorted((done / "combine").glob("COMBINE_*[0-9].fits"))
    rows = read_apertures(done / "stars.ecsv")
    made = extract([cube], rows, tmp_path / "spectra", parameters=ExtractParameters(sky="areas"))
    assert replay(made.products[0], tmp_path / "again").measured["equal"]
    files = sorted((done / "sky_tweak").glob("*_SKY_TWEAK.fits"))
    how = {"parameters": CombineParameters(method="user"), "unaccepted": "header"}
    moved = combine(files, tmp_path / "moved", offsets=read_offsets(done / "align/offsets.ecsv"), **how)
    assert replay(moved.products[0], tmp_path / "moved_again").measured["equal"]


def test_inputs_are_found_where_the_folder_was_moved_to(cropped):
    """Beside the record first: the originals need not be there."""
    outcome = replay(cropped, cropped.parents[1] / "again")
    assert outcome.measured["equal"]
    assert outcome.products == (cropped.parents[1] / "again/cropped.fits",)


def test_changed_input_and_original_are_told(cropped, done, capsys):
    """One pixel of the cube is another, and so is one of the product; status 1, and what it is."""
    content = json.loads(cropped.with_suffix(".json").read_text())
    source = cropped.parent / content["inputs"][0]["relative"]
    _rewrite(cropped, inputs__0__file="/gone/cube.fits", call__arguments__file={"path": "/gone/cube.fits"})
    with fits.open(source, mode="update") as hdus:
        hdus[1].data[:, 5, 5] += 1.0
    assert main(["replay", str(cropped), "-o", str(cropped.parents[1] / "again"), "-q"]) == 1
    out = capsys.readouterr().out
    assert "crop: differs (1 products compared)" in out
    assert f"input changed: {source}" in out
    assert "values differ, by up to 1" in out
    assert "RAW1 SHA256 is" in out


def test_rounding_is_no_difference_and_more_is(cropped):
    """A relative change of 1e-7 is within the tolerance, 1e-3 is not; NaN where there was none never is."""
    for change, equal in ((1 + 1e-7, True), (1.001, False), (np.nan, False)):
        with fits.open(cropped, mode="update") as hdus:
            hdus[1].data[3, 4, 4] *= change
        changed = cropped.read_bytes()
        digest = hashlib.sha256(changed).hexdigest()
        _rewrite(cropped, products__0__sha256=digest, products__0__size=len(changed))
        outcome = replay(cropped, cropped.parents[1] / "again", overwrite=True)
        assert outcome.measured["equal"] is equal
        assert cropped.read_bytes() == changed


def test_other_versions_are_told(cropped, capsys):
    """They alone make no difference."""
    _rewrite(cropped, packages__numpy="1.0")
    assert main(["replay", str(cropped), "-o", str(cropped.parents[1] / "again"), "-q"]) == 0
    assert "version changed: numpy was 1.0, is " in capsys.readouterr().out


def test_originals_are_never_written_to(cropped):
    """Not the product, not the record, not the inputs, whatever is allowed."""
    for folder in (cropped.parent, cropped.parents[1] / "combine", cropped.parents[1]):
        with pytest.raises(WriteError, match="stays as it is"):
            replay(cropped, folder, overwrite=True)


DEEP: list = []
for _ in range(400):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"call__recipe": "os"}, "there is no recipe 'os'"),
        ({"call__recipe": "../crop"}, "there is no recipe"),
        ({"call__recipe": ["crop"]}, "there is no recipe"),
        ({"call__out": {"out": "../../x.fits"}}, "is no name of a product"),
        ({"call__out": {"out": "/etc/x.fits"}}, "is no name of a product"),
        ({"call__out": {"out": "a\0.fits"}}, "is no name of a product"),
        ({"call__arguments__file": {"path": "/etc/passwd"}}, "a file that the record tells nothing of"),
        ({"call__arguments__wave_um": "2.0-2.2"}, "wave_um is '2.0-2.2', which it cannot be"),
        ({"call__arguments__wave_um": DEEP}, ""),
        ({"call__arguments__wave_um": [1.0]}, ""),
        ({"call__arguments__evil": 1}, "parameter 'evil' is not known"),
        ({"call__arguments__box": {"type": "Path", "fields": {}}}, "box is 'Path', which it cannot be"),
        ({"call__arguments__box": {"type": "SkyBox", "fields": {"ra": 1.0, "x": 2}}}, "parameter 'x' of SkyBox"),
        ({"call__arguments__box": {"type": "SkyBox", "fields": {"ra": "x" * 10_000}}}, "ra is"),
        ({"inputs__0__file": "x" * 10_000}, "can be no name of a step or file"),
        ({"inputs__0__file": "a\0b"}, "can be no name of a step or file"),
        ({"inputs__0__file": "\x1b[2J../../nothing", "inputs__0__relative": ""}, "this input is gone"),
        ({"inputs": {"file": 1}}, "expected a list of files"),
        ({"call": []}, "call is a list"),
        ({"call": {}}, "does not tell with which arguments"),
        ({"products": []}, "names no product"),
    ],
)
def test_hostile_record_ends_in_one_line(changes, told, cropped, capsys):
    """Values are data: nothing outside the folder is written, nothing is run, and the terminal obeys nothing."""
    _rewrite(cropped, **changes)
    out = cropped.parents[1] / "again"
    assert main(["replay", str(cropped.with_suffix(".json")), "-o", str(out), "-q"]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert len(err.splitlines()) == 1
    assert "\x1b" not in err
    assert not out.exists()


def test_without_a_record_it_cannot_be_made_again(cropped):
    """And the message says so."""
    cropped.with_suffix(".json").unlink()
    with pytest.raises(KmosError, match="no record beside it"):
        replay(cropped, cropped.parents[1] / "again")
    cropped.with_suffix(".json").write_text("[" * 100_000)
    with pytest.raises(KmosError, match="cannot be read as JSON"):
        replay(cropped.with_suffix(".json"), cropped.parents[1] / "again")


def _leaves(node):
    return [leaf for each in node.get("inputs", ()) for leaf in _leaves(each)] or [node]


def test_history_of_a_spectrum_goes_back_to_the_pipeline(done, capsys):
    """Each step with what was set, each input unchanged; ESO's recipes in a line."""
    (spectrum,) = (done / "extract").glob("spec_*_001.fits")
    tree = history(spectrum).measured["tree"]
    assert (tree["step"], tree["told_by"], tree["changed"]) == ("extract", "record", {"sky": "areas"})
    leaves = {Path(leaf["file"]).name: leaf for leaf in _leaves(tree)}
    assert {"object0.fits", "object1.fits", "sky1.fits", "stars.ecsv"} <= set(leaves)
    assert leaves["object0.fits"]["pipeline"].startswith("kmos_sci_red")
    assert {leaf["state"] for leaf in leaves.values()} == {"unchanged"}
    assert main(["history", str(spectrum), "-q"]) == 0
    text = capsys.readouterr().out
    assert f"\n      combine {__version__} " in text
    assert "by ESO's pipeline: kmos_sci_red kmos/simulated" in text


def test_history_tells_what_changed_moved_or_is_gone(cropped, done):
    """An input in a folder that was moved as a whole, then one with another content, then none."""
    (source,) = history(cropped).measured["tree"]["inputs"]
    assert source["state"] == "moved"
    _rewrite(cropped, inputs__0__file="/gone/" + Path(source["file"]).name)
    with Path(source["file"]).open("ab") as stream:
        stream.write(b" ")
    assert history(cropped).measured["tree"]["inputs"][0]["state"] == "changed"
    Path(source["file"]).unlink()
    (gone,) = history(cropped).measured["tree"]["inputs"]
    assert gone == {"file": "/gone/" + Path(source["file"]).name, "state": "missing"}


def test_history_without_a_record_is_that_of_the_header(cropped):
    """Our steps from the last to the first, by the header alone."""
    cropped.with_suffix(".json").unlink()
    tree = history(cropped).measured["tree"]
    assert (tree["step"], tree["told_by"]) == ("crop", "header")
    assert [step["step"] for step in tree["earlier"]] == ["combine", "sky-tweak"]


def test_history_that_goes_round_in_a_circle_ends(tmp_path, capsys):
    """Two files, each made from the other, as no step could; hostile names fill no screen."""
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.ecsv").write_text("x")
        inputs = [{"file": str(tmp_path / f"{other}.ecsv")}, {"file": "\x1b[2J\n" + "x" * 4000}, {"file": "/dev/zero"}]
        content = {"step": "evil\nstep", "inputs": inputs, "products": [{"file": f"{name}.ecsv"}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    assert main(["history", str(tmp_path / "a.ecsv"), "-q"]) == 0
    out = capsys.readouterr().out
    assert "told above" in out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 9
    assert max(map(len, out.splitlines())) < 300


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_pipes_in_the_place_of_files_are_not_waited_for(tmp_path):
    """Neither as a record nor as an input."""
    (tmp_path / "a.ecsv").write_text("x")
    os.mkfifo(tmp_path / "a.json")
    os.mkfifo(tmp_path / "input.ecsv")
    content = {"step": "x", "inputs": ["input.ecsv"], "products": ["a.ecsv"]}
    (tmp_path / "other.json").write_text(json.dumps(content))
    tree = history(tmp_path / "a.ecsv").measured["tree"]
    assert (tree["step"], tree["inputs"]) == ("x", [{"file": "input.ecsv", "state": "missing"}])
