"""Parameter files, sets of frames and commands for the recipes that make the cubes."""

from __future__ import annotations

import dataclasses
import shlex
import subprocess
from pathlib import Path

import pytest
from astropy.io import fits

from napari_kmos.cli.main import main
from napari_kmos.errors import EngineError, GeometryError, KmosError, KmosWarning, NotKmosError
from napari_kmos.esorex import EsorexOptions, RecipeRun, find_esorex
from napari_kmos.esorex.settings import PREPARED, config_text, sampling_settings, window_settings
from napari_kmos.io import read_frame_facts, read_recipe_blocks
from napari_kmos.recipes.esorex_runs import write_commands
from napari_kmos.recipes.prepare import parse_tags, prepare

RECIPES = Path(__file__).parent / "recipes"
LIBRARIES = ("-lcplui", "-lcpldfs", "-lcplcore", "-lm")
CALIBRATIONS = ("XCAL", "YCAL", "LCAL", "WAVE_BAND", "MASTER_FLAT", "ILLUM_CORR")


def put(path, *, category="", raw="", band="K"):
    """Write a frame: its primary header is all that is read."""
    header = fits.Header()
    facts = {"PRO CATG": category, "DPR CATG": raw, "DPR TYPE": raw and "OBJECT,SKY", "INS GRAT2 ID": band}
    for key, value in facts.items():
        if value:
            header[f"HIERARCH ESO {key}"] = value
    fits.PrimaryHDU(header=header).writeto(path)
    return path


@pytest.fixture(autouse=True)
def no_esorex(monkeypatch, tmp_path):
    """Nothing here needs it, but for the tests that ask for it."""
    monkeypatch.setenv("NAPARI_KMOS_ESOREX", str(tmp_path / "none"))


@pytest.fixture
def science(tmp_path):
    """Raw exposures and their calibrations."""
    raw = [put(tmp_path / name, raw="SCIENCE") for name in ("raw 1.fits", "raw2.fits")]
    return [*raw, *(put(tmp_path / f"{tag}_KKK.fits", category=tag) for tag in CALIBRATIONS)]


def settings_in(path):
    """Return what a parameter file sets."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=") for line in lines)


def tags_in(path):
    """Return the tags of a set of frames."""
    return [line.split()[1] for line in path.read_text(encoding="ascii").splitlines()]


def test_cubes_with_their_sky(science, tmp_path):
    outcome = prepare("kmos_sci_red", science, tmp_path / "out")
    sof, config, commands = outcome.products
    given = {"no_subtract": "TRUE", "sky_tweak": "FALSE", "b_samples": "3072", "pix_scale": "0.1"}
    assert settings_in(config) == {f"kmos.kmos_sci_red.{name}": value for name, value in given.items()}
    assert tags_in(sof) == ["SCIENCE", "SCIENCE", *CALIBRATIONS]
    told = outcome.measured["settings"]["kmos_sci_red"]
    assert {name: one["value"] for name, one in told.items()} == given
    assert "28 x 28 spaxels an IFU, 4 times those of the default" in told["pix_scale"]["cost"]
    words = shlex.split(commands.read_text().splitlines()[-1])
    assert words[-3:] == [f"--recipe-config={config}", "kmos_sci_red", str(sof)]
    assert words[3] == str(tmp_path / "none")


def test_grid_is_a_choice_and_options_win(science, tmp_path):
    options = EsorexOptions(recipe_options={"sky_tweak": "TRUE", "imethod": "NN"})
    outcome = prepare("kmos_sci_red", science, tmp_path / "out", pix_scale=0.2, b_samples=2048, esorex=options)
    settings = settings_in(outcome.products[1])
    assert settings["kmos.kmos_sci_red.pix_scale"] == "0.2"
    assert settings["kmos.kmos_sci_red.sky_tweak"] == "TRUE"
    assert settings["kmos.kmos_sci_red.imethod"] == "NN"


def test_size_of_the_cubes():
    # 24 IFUs, data and noise, 4 bytes: 28 x 28 x 3072 and 14 x 14 x 2048
    assert "462 MB, and neighbours share noise" in sampling_settings(0.1, 3072)["pix_scale"][1]
    plain = sampling_settings(0.2, 2048)
    assert plain["pix_scale"][1].endswith("an exposure with noise is 77 MB")
    assert plain["b_samples"][1].startswith("1 times the planes")
    with pytest.raises(EngineError, match=r"spaxels of 0 arcsec and 2048 planes; expected a side up to 2\.8 arcsec"):
        sampling_settings(0.0, 2048)


def test_windows_are_a_run_each(tmp_path):
    star = put(tmp_path / "star.fits", category="STAR_SPEC")
    outcome = prepare("kmos_molecfit_model", [star], tmp_path / "out")
    configs = [path for path in outcome.products if path.suffix == ".rc"]
    assert [path.stem for path in configs] == [f"kmos_molecfit_model_{window}" for window in "ABC"]
    ranges = [settings_in(path)["kmos.kmos_molecfit_model.wave_range"] for path in configs]
    assert ranges[0] == "1.975,1.987,1.993,2.010,2.041,2.060"
    assert ranges[1] == "2.269,2.291,2.308,2.335,2.360,2.379"
    assert ranges[2] == "2.416,2.440,2.445,2.475"
    assert {settings_in(path)["kmos.kmos_molecfit_model.use_input_kernel"] for path in configs} == {"FALSE"}
    assert len(outcome.measured["commands"]) == 3
    assert window_settings("ABC")["wave_range"][0] == ",".join(ranges)


def test_windows_that_are_none_or_of_another_band(tmp_path):
    star = put(tmp_path / "star.fits", category="STAR_SPEC", band="H")
    with pytest.raises(EngineError, match="window 'AD' is not known; expected A, B, C"):
        window_settings("AD")
    with pytest.raises(GeometryError, match=r"of grating H, windows A, B, C of K: .*wave_range=FROM"):
        prepare("kmos_molecfit_model", [star], tmp_path / "out")
    options = EsorexOptions(recipe_options={"wave_range": "1.5,1.6"})
    outcome = prepare("kmos_molecfit_model", [star], tmp_path / "out", esorex=options)
    assert settings_in(outcome.products[1])["kmos.kmos_molecfit_model.wave_range"] == "1.5,1.6"


def test_response_is_needed_and_its_tag_can_be_said(tmp_path):
    files = [put(tmp_path / "a.fits", category="TELLURIC"), put(tmp_path / "b=c.fits")]
    with pytest.raises(KmosError, match=r"b=c\.fits: has no product category, which tells no tag"):
        prepare("kmos_gen_telluric", files, tmp_path / "out")
    with pytest.raises(KmosError, match="needs a frame RESPONSE; there are TELLURIC: give its file too"):
        prepare("kmos_gen_telluric", files[:1], tmp_path / "out")
    outcome = prepare("kmos_gen_telluric", files, tmp_path / "out", tags=parse_tags(["x/b=c.fits=RESPONSE"]))
    assert settings_in(outcome.products[1]) == {"kmos.kmos_gen_telluric.method": "2"}
    assert tags_in(outcome.products[0]) == ["TELLURIC", "RESPONSE"]
    with pytest.warns(KmosWarning, match="no TELLURIC among the frames"):
        prepare("kmos_gen_telluric", files[1:], tmp_path / "alone", tags={"b=c.fits": "RESPONSE"})


def test_frames_that_do_not_fit(science, tmp_path):
    with pytest.raises(KmosError, match="needs a frame MASTER_FLAT"):
        prepare("kmos_sci_red", [path for path in science if "FLAT" not in path.name], tmp_path / "out")
    some = [path for path in science if not path.name.startswith(("X", "Y", "MASTER"))]
    with pytest.raises(KmosError, match="needs frames XCAL, YCAL, MASTER_FLAT; there are ILLUM_CORR, LCAL, SCIENCE, W"):
        prepare("kmos_sci_red", some, tmp_path / "out")
    other = put(tmp_path / "response.fits", category="RESPONSE", band="H")
    with pytest.raises(GeometryError, match=r"several gratings, K \(ILLUM_CORR_KKK\.fits\), H \(response\.fits\)"):
        prepare("kmos_sci_red", [*science, other], tmp_path / "out")
    with pytest.raises(KmosError, match=r"other\.fits has a tag, but is none of the files"):
        prepare("kmos_sci_red", science, tmp_path / "out", tags={"other.fits": "A"})
    (tmp_path / "text.fits").write_text("no")
    with pytest.raises(NotKmosError, match="not a FITS file"):
        prepare("kmos_sci_red", [*science, tmp_path / "text.fits"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_raw_calibration_tells_its_type(tmp_path):
    frame = read_frame_facts(put(tmp_path / "flat.fits", raw="CALIB", band="IZ"))
    assert (frame.tag, frame.band, frame.raw_type) == ("", "IZ", "OBJECT,SKY")
    with pytest.raises(KmosError, match="is raw, of type OBJECT,SKY, which tells no tag"):
        prepare("kmos_sci_red", [frame.path], tmp_path / "out")


@pytest.mark.parametrize("text", ["a.fits", "=RESPONSE", "a.fits=", "a.fits=RE SPONSE"])
def test_tag_that_is_none(text):
    with pytest.raises(KmosError, match="expected FILE=TAG"):
        parse_tags([text])


def test_recipe_that_is_not_prepared(science, tmp_path):
    with pytest.raises(EngineError, match=r"'kmos_combine' cannot be prepared; there are kmos_sci_red.*--dry-run"):
        prepare("kmos_combine", science, tmp_path / "out")


def test_command_tells_the_costs(science, tmp_path, capsys):
    words = ["prepare", "kmos_sci_red", *map(str, science), "-o", str(tmp_path / "out"), "--pix-scale", "0.2"]
    assert main(words) == 0
    assert "  pix_scale=0.2  14 x 14 spaxels an IFU, 1 times those" in capsys.readouterr().out
    assert main(words) == 2
    assert "exists already" in capsys.readouterr().err


def test_real_program_reads_the_parameter_file(options, objects, tmp_path, monkeypatch):
    monkeypatch.delenv("NAPARI_KMOS_ESOREX")
    config = config_text(
        "kmos_combine", {"method": ("header", "how frames are placed; a # and 'quotes'"), "citer": ("5", "")}
    )
    frames = tuple((path, "SCI_RECONSTRUCTED") for path in objects)
    run = RecipeRun(name="a é run", recipe="kmos_combine", frames=frames, config=config)
    outcome = write_commands(find_esorex(options), [run], tmp_path / "out", overwrite=False)
    subprocess.run(["sh", "-e", outcome.products[-1]], capture_output=True, check=True)
    (made,) = (tmp_path / "out").glob("*/COMBINE_*.fits")
    (block,) = read_recipe_blocks(fits.getheader(made))
    assert block.changed == {"method": "header", "citer": "5"}


@pytest.fixture
def making(options, tmp_path):
    """The real program with stand-ins of the recipes that are prepared."""
    folder = tmp_path / "making recipes"
    folder.mkdir()
    template = (RECIPES / "making" / "kmos_prepared.c").read_text()
    for recipe in PREPARED:
        source = tmp_path / f"{recipe}.c"
        source.write_text(template.replace("kmos_prepared", recipe).replace("../stand_in.h", "stand_in.h"))
        words = ["gcc", "-shared", "-fPIC", f"-I{RECIPES}", "-o", str(folder / f"{recipe}.so"), str(source), *LIBRARIES]
        subprocess.run(words, check=True)
    return EsorexOptions(program="esorex", recipe_dirs=(folder,))


def test_real_program_takes_what_is_written(making, science, tmp_path, monkeypatch):
    """Frames with blanks in their names, tags, and every setting arrive at recipes of those names."""
    tags = ("STAR_SPEC", "ATMOS_PARM", "BEST_FIT_PARM", "TELLURIC_CORR", "TELLURIC", "RESPONSE", "SCI_RECONSTRUCTED")
    star, atmosphere, best, corr, telluric, response, cubes = (
        put(tmp_path / f"{tag} é.fits", category=tag) for tag in tags
    )
    sets = {
        "kmos_sci_red": science,
        "kmos_molecfit_model": [star],
        "kmos_molecfit_calctrans": [star, atmosphere, best],
        "kmos_molecfit_correct": [cubes, corr],
        "kmos_gen_telluric": [telluric, response],
    }
    assert set(sets) == set(PREPARED)
    for recipe, files in sets.items():
        outcome = prepare(recipe, files, tmp_path / f"out {recipe}", esorex=making)
        done = subprocess.run(["sh", "-e", outcome.products[-1]], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        for name, settings in outcome.measured["settings"].items():
            (block,) = read_recipe_blocks(fits.getheader(tmp_path / f"out {recipe}" / name / "PRODUCT.fits"))
            given = {key: one["value"].lower() for key, one in settings.items()}
            assert {key: block.parameters[key] for key in given} == given
            sof = next(path for path in outcome.products if path.name == f"{name}.sof")
            log = (tmp_path / f"out {recipe}" / name / "esorex.log").read_text()
            assert [line.split("got ")[1] for line in log.splitlines() if " got " in line] == tags_in(sof)
    options = dataclasses.replace(making, recipe_options={"wave_range": "2,3"})
    with pytest.raises(EngineError, match=r"kmos_gen_telluric 1\.4\.3 has no parameter 'wave_range'; There are method"):
        prepare("kmos_gen_telluric", [telluric, response], tmp_path / "none", esorex=options)


def test_parameters_are_checked_where_the_program_is(options, science, tmp_path, monkeypatch):
    with pytest.raises(EngineError, match="none: no such program"):
        prepare("kmos_sci_red", science, tmp_path / "out", esorex=EsorexOptions(program=tmp_path / "none"))
    monkeypatch.delenv("NAPARI_KMOS_ESOREX")
    # the recipe is not there: its parameters cannot be checked
    assert prepare("kmos_sci_red", science, tmp_path / "out", esorex=options).products
