"""The sky subtracted by the recipe: frames, products, provenance, and what cannot be asked of it."""

from __future__ import annotations

import dataclasses
import json
import shlex

import numpy as np
import pytest
from astropy.io import fits

from napari_kmos.cli.main import main
from napari_kmos.errors import EngineError, WriteError
from napari_kmos.esorex import EsorexOptions, find_esorex
from napari_kmos.io import read_exposure, read_history, read_recipe_blocks
from napari_kmos.recipes.esorex_runs import shared_parameters
from napari_kmos.recipes.esorex_sky import SHARED
from napari_kmos.recipes.sky_tweak import sky_tweak
from napari_kmos.sky import SkyParameters


@pytest.fixture
def skies(night):
    return [night / "sky.fits"]


def test_products_are_the_recipe_s_pixels_with_their_history(options, objects, skies, tmp_path):
    chosen = dataclasses.replace(options, recipe_options={"stretch": "TRUE"}, jobs=2)
    outcome = sky_tweak(objects, skies, tmp_path / "out é", engine="esorex", esorex=chosen)
    assert [path.name for path in outcome.products] == ["object é 1_SKY_TWEAK.fits", "object2_SKY_TWEAK.fits"]
    for path, target in zip(outcome.products, objects, strict=True):
        with fits.open(path, checksum=True) as made, fits.open(target) as before, fits.open(skies[0]) as sky:
            assert [hdu.name for hdu in made] == [hdu.name for hdu in before]
            expected = before["IFU.5.DATA"].data - sky["IFU.5.DATA"].data
            np.testing.assert_array_equal(made["IFU.5.DATA"].data, expected)
            np.testing.assert_array_equal(made["IFU.5.NOISE"].data, before["IFU.5.NOISE"].data)
        exposure = read_exposure(path)
        blocks = read_recipe_blocks(exposure.header)
        assert [block.recipe for block in blocks[-2:]] == ["kmos_sky_tweak", "napari-kmos sky-tweak"]
        assert blocks[-2].changed == {"stretch": "true"}
        assert blocks[-1].parameters["recipe"] == "kmos_sky_tweak 1.4.3"
        assert (
            "engine=esorex recipe=kmos_sky_tweak 1.4.3 stretch=TRUE sky=sky.fits" in read_history(exposure.header)[-1]
        )
        record = json.loads(path.with_suffix(".json").read_text())
        assert [entry["file"] for entry in record["inputs"]] == [str(target.resolve()), str(skies[0].resolve())]
        assert "Tweaking IFU.3.DATA" in path.with_name(f"{path.stem}_esorex.log").read_text()
        assert "--stretch=TRUE" in shlex.split(outcome.measured[path.name]["command"])
    assert len(list((tmp_path / "out é").iterdir())) == 6


def test_dry_run_needs_no_esorex(objects, skies, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    words = ["sky-tweak", *map(str, objects), "--sky", *map(str, skies), "-o", str(tmp_path / "dry"), "--json"]
    words += ["--engine", "esorex", "--dry-run", "--ifu", "5", "--recipe-option", "tbsub=FALSE"]
    assert main(words) == 0
    folder = tmp_path / "dry"
    outcome = json.loads(capsys.readouterr().out)
    names = ["object___1_SKY_TWEAK.sof", "object2_SKY_TWEAK.sof", "command.txt"]
    assert outcome["products"] == [str(folder / name) for name in names]
    for sof in folder.glob("*.sof"):
        frames = [line.split() for line in sof.read_text(encoding="ascii").splitlines()]
        assert [tag for _, tag in frames] == ["CUBE_OBJECT", "CUBE_SKY"]
        assert [read_exposure(path).kind for path, _ in frames] == ["exposure", "exposure"]
    commands = [line for line in (folder / "command.txt").read_text().splitlines() if not line.startswith("#")]
    cd, place, _, program, *rest, sof = shlex.split(commands[0])
    assert (cd, program) == ("cd", "esorex")
    assert rest[-3:] == ["kmos_sky_tweak", "--ifu=5", "--tbsub=FALSE"]
    assert (folder / place).is_dir()
    assert (folder / sof).is_file()


def test_commands_of_a_dry_run_do_what_they_say(options, objects, skies, tmp_path):
    """The one place where a shell reads them, as the reader of ``command.txt`` has it do."""
    import subprocess

    chosen = dataclasses.replace(options, dry_run=True)
    outcome = sky_tweak(objects, skies, tmp_path / "a é b", engine="esorex", esorex=chosen)
    done = subprocess.run(["sh", "-e", outcome.products[-1]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((tmp_path / "a é b").glob("*/SKY_TWEAK.fits"))) == 2


def test_failure_keeps_the_log_and_nothing_else(options, objects, skies, tmp_path, monkeypatch):
    for mode, problem in (
        ("fails", "failed: Illegal input: no OH lines in IFU 3"),
        ("nothing", "its product is missing"),
    ):
        monkeypatch.setenv("STAND_IN", mode)
        with pytest.raises(EngineError, match=rf"object2_SKY_TWEAK: kmos_sky_tweak .*{problem}.* \S+_esorex\.log"):
            sky_tweak(objects[1:], skies, tmp_path, engine="esorex", esorex=options)
        assert [path.name for path in tmp_path.iterdir()] == ["object2_SKY_TWEAK_esorex.log"]
    monkeypatch.delenv("STAND_IN")
    assert sky_tweak(objects[1:], skies, tmp_path, engine="esorex", esorex=options).products


def test_what_exists_is_kept(options, objects, skies, tmp_path):
    (tmp_path / "object2_SKY_TWEAK.fits").write_text("mine")
    with pytest.raises(WriteError, match="exists already"):
        sky_tweak(objects, skies, tmp_path, engine="esorex", esorex=options)
    assert [path.name for path in tmp_path.iterdir()] == ["object2_SKY_TWEAK.fits"]


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"method": "plain"}, "method plain is of the native engine"),
        ({"pick": "best"}, "pick best is of the native engine"),
        ({"sky_masks": ["mask.fits"]}, "a sky mask is of the native engine"),
        ({"parameters": SkyParameters(line_hw=6)}, "line_hw is of the native engine, kmos_sky_tweak has"),
        ({"engine": "gasgano"}, "engine 'gasgano' is not known"),
    ],
)
def test_what_the_recipe_cannot_do(objects, skies, tmp_path, given, match):
    with pytest.raises(EngineError, match=match):
        sky_tweak(objects, skies, tmp_path, **{"engine": "esorex", **given})


def test_parameters_that_both_engines_have(objects, skies, tmp_path):
    dry = EsorexOptions(dry_run=True, recipe_options={"discard_subband": "TRUE"})
    how = {"engine": "esorex", "esorex": dry}
    chosen = SkyParameters(stretch=True, stretch_degree=6, tbsub=False)
    outcome = sky_tweak(objects[:1], skies, tmp_path, parameters=chosen, **how)
    words = outcome.measured["commands"][0].split("kmos_sky_tweak ")[1].split()[:-1]
    assert sorted(words) == ["--discard_subband=TRUE", "--stretch=TRUE", "--stretch_degree=6", "--tbsub=FALSE"]
    with pytest.raises(EngineError, match="discard_subband is given as --discard_subband and as a recipe option"):
        sky_tweak(objects, skies, tmp_path, parameters=SkyParameters(discard_subband=True), **how)


def test_defaults_of_what_both_engines_have_are_those_of_the_recipe(options):
    manual = find_esorex(options).manual("kmos_sky_tweak")
    ours = shared_parameters(SkyParameters(), SHARED, EsorexOptions())
    assert ours == {name: manual.defaults[name] for name in SHARED}


def test_parameter_in_two_ways_or_unknown(options, objects, skies, tmp_path):
    for name, match in (("ifu", "say it by --ifu"), ("stretsh", "no parameter 'stretsh'; did you mean stretch")):
        chosen = dataclasses.replace(options, recipe_options={name: "3"})
        with pytest.raises(EngineError, match=match):
            sky_tweak(objects, skies, tmp_path / "out", engine="esorex", esorex=chosen)
        assert not (tmp_path / "out").exists()
