"""What every command has in common, asked of every command."""

from __future__ import annotations

import argparse
import json
import re

import factories
import numpy as np
import product_trees as trees
import pytest
from astropy.table import Table

from napari_kmos.aperture import Aperture
from napari_kmos.cli.main import COMMANDS, build_parser, load_command, main
from napari_kmos.io import write_apertures, write_cube, write_table
from napari_kmos.recipes.demo_clicks import click_list
from napari_kmos.recipes.plan import make_plan
from napari_kmos.recipes.simulate import simulate
from napari_kmos.simulate import SimulationParameters
from napari_kmos.simulate.scene import make_scene
from napari_kmos.spatial.wcs import pixel_to_sky

NIGHT = SimulationParameters(seed=3, ifus=1, exposures=2, epochs=1, skies=1, nz=320)
SHARED = ("--help", "--json", "--overwrite", "--verbose", "--quiet")
#: A call of each command that ends well; `OUT` is its output.
CALLS = {
    "simulate": "OUT --ifus 1 --exposures 1 --epochs 1 --nz 64",
    "plan": "night -o OUT/night.toml",
    "run": "night.toml -o OUT",
    "prepare": "kmos_gen_telluric object.fits sky.fits -o OUT --tag object.fits=RESPONSE --tag sky.fits=TELLURIC",
    "info": "cube.fits",
    "history": "cube.fits",
    "replay": "spectra/spectra_target_ifu5.json -o OUT",
    "check": "cube.fits object.fits",
    "sky-tweak": "object.fits --sky sky.fits -o OUT",
    "sky-mask": "sky.fits -o OUT",
    "sky-second-pass": "object.fits -o OUT",
    "align": "object.fits object2.fits -o OUT/offsets.ecsv --method header",
    "solve-wcs": "cube.fits -o OUT --pairs pairs.ecsv",
    "offsets": "offsets.ecsv -o OUT --crval",
    "combine": "object.fits object2.fits -o OUT",
    "cut": "cube.fits -o OUT --from object.fits object2.fits",
    "crop": "cube.fits -o OUT/cut.fits --wave 2.1-2.2",
    "splice": "cube.fits cube2.fits -o OUT/joined.fits --edges 2.2",
    "telluric": "cube.fits -o OUT --standard standard.ecsv --standard-airmass 1.1 --airmass 1.2 --no-fit",
    "calibrate": "cube.fits -o OUT --response standard.ecsv --zero-point 20",
    "map": "cube.fits -o OUT --line 2.1-2.2 --continuum 2.05-2.08,2.25-2.3",
    "find": "cube.fits -o OUT/found.ecsv --known stars.ecsv",
    "extract": "cube.fits --apertures stars.ecsv -o OUT",
    "measure": "spectra -o OUT --velocity none",
    "compare": "spectra -o OUT",
}
#: `view` opens a window and `demo` has a test of its own.
CALLED = [name for name in COMMANDS if name not in ("view", "demo")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Inputs of all commands."""
    folder = tmp_path_factory.mktemp("contract")
    for name, mjd in (("object", 58001.0), ("sky", 58001.01), ("object2", 58001.02)):
        trees.put(folder / f"{name}.fits", mjd=mjd, shape=(64, 9, 11))
    for name in ("cube", "cube2"):
        write_cube(factories.make_cube(shape=(64, 13, 15)), folder / f"{name}.fits")
    star = Aperture(id="a", ra=factories.RA, dec=factories.DEC, radius_arcsec=0.4)
    write_apertures([star], folder / "stars.ecsv")
    ra, dec = pixel_to_sky(factories.make_wcs(), np.array([1.0, 5.0, 9.0]), np.array([3.0, 11.0, 2.0]))
    write_table(Table({"x": [4.0, 12.0, 3.0], "y": [2.0, 6.0, 10.0], "ra": ra, "dec": dec}), folder / "pairs.ecsv")
    wave = np.linspace(1.9, 2.52, 400)
    write_table(Table({"wavelength_um": wave, "response": 2.5 - 0.5 * wave}), folder / "standard.ecsv")
    simulate(folder / "night", parameters=NIGHT)
    make_plan([folder / "night"], folder / "night.toml")
    write_apertures(click_list(make_scene(NIGHT)), folder / "clicks.ecsv")
    paths = {name: str(folder / f"{name}.fits") for name in ("object", "object2", "cube")}
    assert (
        main(
            ["align", paths["object"], paths["object2"], "-o", str(folder / "offsets.ecsv"), "--method", "header", "-q"]
        )
        == 0
    )
    assert (
        main(["extract", paths["cube"], "--apertures", str(folder / "stars.ecsv"), "-o", str(folder / "spectra"), "-q"])
        == 0
    )
    return folder


def _words(command, folder, out):
    return [
        str(folder / word) if (folder / word).exists() and not word.isdigit() else word.replace("OUT", str(out))
        for word in CALLS[command].split()
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_has_its_module(command):
    """The table of commands and the modules agree."""
    module = load_command(command)
    assert command == module.NAME
    assert module.HELP
    assert COMMANDS[command][0].islower()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_every_option(command, capsys):
    """Every option has a text, and the shared ones are there."""
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert all(option in text for option in SHARED)
    parser = argparse.ArgumentParser()
    load_command(command).add_arguments(parser)
    silent = [action.dest for action in parser._actions if not (action.help or "").strip()]
    assert silent == []


@pytest.mark.parametrize("command", COMMANDS)
def test_options_do_not_share_a_place(command):
    """No two options of a command write to the same name."""
    sub = build_parser(command)._subparsers._group_actions[0].choices[command]
    places = [action.dest for action in sub._actions]
    assert len(places) == len(set(places))


@pytest.mark.parametrize("command", ["combine", "run"])
def test_scheduler_where_dask_works(command, capsys):
    """The cluster's address is an option of commands that compute lazily."""
    main([command, "--help"])
    assert "--scheduler ADDRESS" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::napari_kmos.errors.KmosWarning")
@pytest.mark.parametrize("command", CALLED)
def test_json_is_one_object_and_existing_output_an_error(command, folder, tmp_path, monkeypatch, capsys):
    """One JSON object with absolute paths of files that exist; the same again is refused, with --overwrite done."""
    monkeypatch.chdir(folder)
    words = [command, *_words(command, folder, tmp_path / "out")]
    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out, parse_constant=pytest.fail)
    assert set(told) == {"products", "extras", "warnings", "measured"}
    paths = [*told["products"], *told["extras"]]
    assert all(path.startswith(str(tmp_path / "out")) for path in paths)
    assert len(set(paths)) == len(paths)
    assert all(re.search(rf"^warning: {re.escape(text)}$", err, re.MULTILINE) for text in told["warnings"])
    if command in ("info", "check", "history"):
        assert paths == []
        return
    assert told["products"]
    assert all((folder / path).is_file() for path in paths)
    if command == "run":  # does only what is not done: finding everything done is no error
        assert main([*words, "-q"]) == 0
        return
    assert main(words) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("error: ")
    assert "exists" in last
    assert main([*words, "--overwrite", "-q"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[: len(told["products"])] == told["products"]


@pytest.mark.parametrize("command", [name for name in CALLED if name != "simulate"])
def test_unknown_file_is_one_line(command, folder, tmp_path, capsys):
    """A file that is not there is bad input, whatever the command."""
    words = [command, *_words(command, folder, tmp_path / "out")]
    words[1] = str(tmp_path / "nothing.fits")
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line for line in err.splitlines() if line.startswith("error: ")] == err.splitlines()[-1:]
    assert "nothing.fits" in err.splitlines()[-1]
    assert "Traceback" not in err
