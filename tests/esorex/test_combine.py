"""Exposures combined by the recipe: names, lists of IFUs, shifts, products, and what cannot be asked of it."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from astropy.io import fits
from dithered_files import Visit, true_rows, write_visits

from napari_kmos.cli.main import main
from napari_kmos.combine import CombineParameters
from napari_kmos.errors import AlignmentError, EngineError
from napari_kmos.esorex import EsorexOptions, FinishedRun, RecipeRun
from napari_kmos.io import (
    read_exposure,
    read_history,
    read_logged_shifts,
    read_recipe_blocks,
    read_shifts,
    write_cube,
    write_offsets,
)
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.esorex_combine import sort_products
from napari_kmos.recipes.esorex_runs import EsorexTask
from napari_kmos.recipes.offsets import offsets

USER = CombineParameters(method="user")


@pytest.fixture(scope="module")
def visits(tmp_path_factory):
    """Folder of three exposures, in the second of which two arms swap their targets, and the table of their offsets."""
    folder = tmp_path_factory.mktemp("visits_é")
    files = write_visits(folder)
    return files, write_offsets(true_rows(), folder / "offsets.ecsv")


def planned(files, folder, **how):
    """Return the words of each command of a dry run by its product, and the frames of each."""
    outcome = combine(files, folder, engine="esorex", esorex=EsorexOptions(dry_run=True), **how)
    commands = {line.split("/")[-1].removesuffix(".sof"): line.split() for line in outcome.measured["commands"]}
    frames = {path.stem: path.read_text().split()[::2] for path in outcome.products if path.suffix == ".sof"}
    return commands, frames


def test_targets_are_combined_by_name(options, visits, tmp_path):
    files, _ = visits
    chosen = dataclasses.replace(options, recipe_options={"collapse_combined": "TRUE"}, jobs=2)
    outcome = combine(files, tmp_path, engine="esorex", esorex=chosen)
    assert [path.name for path in outcome.products] == ["COMBINE_gc1.fits", "COMBINE_gc2.fits"]
    ifus = {"gc1": (3, 12, 3), "gc2": (12, 3, 12)}
    for path, name in zip(outcome.products, ifus, strict=True):
        frames = [fits.getdata(file, f"IFU.{ifu}.DATA") for file, ifu in zip(files, ifus[name], strict=True)]
        with fits.open(path, checksum=True) as made:
            # the recipe adds in another order
            np.testing.assert_allclose(made[f"{name}.DATA"].data, np.mean(frames, axis=0), rtol=1e-5)
        exposure = read_exposure(path)
        assert exposure.kind == "combined"
        recipe, ours = read_recipe_blocks(exposure.header)[-2:]
        assert (recipe.recipe, recipe.changed["method"], recipe.changed["name"]) == ("kmos_combine", "header", name)
        assert ours.recipe == "napari-kmos combine"
        told = "engine=esorex recipe=kmos_combine 1.4.3 name=" + name + " method=header collapse_combined=TRUE target="
        assert read_history(exposure.header)[-1].endswith(f"{told}{name}, the rest at their defaults")
    extras = {path.name for path in outcome.extras}
    names = ("COMBINE_gc1_IMAGE.fits", "EXP_MASK_gc1.fits", "COMBINE_gc1.json", "COMBINE_gc1_esorex.log")
    assert extras == {name.replace("gc1", target) for target in ifus for name in names}
    record = json.loads((tmp_path / "COMBINE_gc2.json").read_text())
    assert [entry["file"] for entry in record["inputs"]] == [str(file.resolve()) for file in files]
    products = ["COMBINE_gc2.fits", "COMBINE_gc2_IMAGE.fits", "EXP_MASK_gc2.fits"]
    assert sorted(entry["file"] for entry in record["products"]) == products


def test_shift_file_is_that_of_offsets_in_the_order_of_the_frames(options, visits, tmp_path):
    files, table = visits
    offsets(table, tmp_path / "by hand", shifts=True)
    how = {"parameters": USER, "offsets": table, "engine": "esorex", "esorex": options}
    outcome = combine(files, tmp_path / "out", **how)
    for name in ("gc1", "gc2"):
        by_hand = read_shifts(tmp_path / "by hand" / f"shifts_{name}.txt")
        logged = read_logged_shifts(tmp_path / "out" / f"COMBINE_{name}_esorex.log")
        # the log has three digits
        np.testing.assert_allclose([(one.dx, one.dy) for one in logged], by_hand, atol=6e-4)
        block = read_recipe_blocks(read_exposure(outcome.products[0]).header)[-1]
        assert (block.parameters["method"], block.parameters["filename"]) == ("user", "shifts.txt")


def test_method_and_clipping_are_always_given(visits, tmp_path):
    files, _ = visits
    parameters = CombineParameters(method="none", cmethod="min_max", cpos_rej=2.5)
    commands, frames = planned(files, tmp_path, parameters=parameters, name="gc2")
    expected = ["--name=gc2", "--method=none", "--cmethod=min_max", "--cpos_rej=2.5", "--cneg_rej=3.0", "--citer=3"]
    assert commands["COMBINE_gc2"][-9:-1] == [*expected, "--cmax=1", "--cmin=1"]
    assert [path.rpartition("/")[2] for path in frames["COMBINE_gc2"]] == [file.name for file in files]


def test_ifus_are_listed_one_a_frame(visits, tmp_path):
    files, _ = visits
    commands, _ = planned(files, tmp_path / "a", ifus="3;12;3")
    assert "'--ifus=3;12;3'" in commands["COMBINE_gc1"]
    commands, frames = planned(files, tmp_path / "b", each="ifu", drop=["exp1.fits"])
    assert "'--ifus=3;3'" in commands["COMBINE_IFU3"]
    assert "'--ifus=12;12'" in commands["COMBINE_IFU12"]
    assert len(frames["COMBINE_IFU12"]) == 2


def test_mosaics_need_a_mapping_template(options, visits, tmp_path):
    files, table = visits
    mapped = []
    for file in files:
        mapped.append(tmp_path / file.name)
        with fits.open(file) as hdus:
            hdus[0].header["HIERARCH ESO TPL ID"] = "KMOS_spec_obs_mapping24"
            hdus.writeto(mapped[-1])
    outcome = combine(mapped, tmp_path / "out", mosaic=True, engine="esorex", esorex=options)
    assert [path.name for path in outcome.products] == ["COMBINE_mosaic.fits"]
    with pytest.raises(EngineError, match=r"one shift a frame.*offsets --crval"):
        planned(mapped, tmp_path / "no", mosaic=True, parameters=USER, offsets=table)
    with pytest.raises(EngineError, match="makes mosaics of mapping templates only"):
        planned(files, tmp_path / "no", mosaic=True)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"parameters": CombineParameters(kernel="linear")}, "kernel is of the native engine"),
        ({"parameters": CombineParameters(flux=False)}, "flux is of the native engine"),
        ({"zero_points": "measure"}, "zero points are taken out by the native engine"),
        ({"engine": "reflex"}, "engine 'reflex' is not known"),
    ],
)
def test_what_the_recipe_cannot_do(visits, tmp_path, given, match):
    with pytest.raises(EngineError, match=match):
        combine(visits[0], tmp_path, **{"engine": "esorex", **given})


def test_mosaics_are_not_combined_again(make_cube, tmp_path):
    wide = make_cube(shape=(6, 41, 47), name="mosaic", ifu=None)
    with pytest.raises(EngineError, match="is a mosaic; kmos_combine combines exposures"):
        planned([write_cube(wide, tmp_path / "mosaic.fits")], tmp_path / "out")


def test_frames_of_two_angles_have_no_shift(tmp_path):
    turned = [Visit(rotation=0.0), Visit(dither=(0.4, 0.2), rotation=12.0)]
    files = write_visits(tmp_path, turned)
    table = write_offsets(true_rows(turned), tmp_path / "offsets.ecsv")
    with pytest.raises(AlignmentError, match="gc1"):
        planned(files, tmp_path / "out", parameters=USER, offsets=table)


def test_parameter_that_has_an_option_of_its_own(options, visits, tmp_path):
    for name, said in (("method", "--method"), ("filename", "--offsets"), ("ifus", "--ifus")):
        chosen = dataclasses.replace(options, recipe_options={name: "x"})
        with pytest.raises(EngineError, match=f"recipe option {name} has an option of its own here: say it by {said}"):
            combine(visits[0], tmp_path, engine="esorex", esorex=chosen)


def test_recipe_options_may_say_what_both_engines_have(visits, tmp_path):
    dry = EsorexOptions(dry_run=True, recipe_options={"cmethod": "median"})
    outcome = combine(visits[0], tmp_path, name="gc1", engine="esorex", esorex=dry)
    assert outcome.measured["commands"][0].count("--cmethod=median") == 1
    assert "--cmethod=ksigma" not in outcome.measured["commands"][0]
    twice = {"parameters": CombineParameters(cmethod="sum"), "engine": "esorex", "esorex": dry}
    with pytest.raises(EngineError, match="cmethod is given as --cmethod and as a recipe option; give it once"):
        combine(visits[0], tmp_path, name="gc1", **twice)


def test_one_failing_run_ends_the_others_and_keeps_its_log(options, visits, tmp_path, monkeypatch):
    monkeypatch.setenv("STAND_IN", "fails")
    chosen = dataclasses.replace(options, jobs=2)
    with pytest.raises(EngineError, match=r"COMBINE_gc\d: kmos_combine failed: Illegal input: orientations differ"):
        combine(visits[0], tmp_path, engine="esorex", esorex=chosen)
    (log,) = tmp_path.iterdir()
    assert "orientations differ" in log.read_text()


def test_products_of_other_versions_have_their_places(make_cube, tmp_path):
    """Small names of old versions, and the cube for the archive that new ones make too."""
    for name in ("combine_sci_reconstructed_gc1.fits", "IDP_COMBINED_CUBE_gc1.fits"):
        write_cube(make_cube(shape=(4, 5, 7)), tmp_path / name)
    for name in ("exp_mask_sci_reconstructed_gc1.fits", "make_image.fits"):
        fits.PrimaryHDU(np.ones((5, 7))).writeto(tmp_path / name)
    (tmp_path / "linked.fits").symlink_to(tmp_path / "make_image.fits")
    run = RecipeRun(name="COMBINE_gc1", recipe="kmos_combine", frames=())
    places = [tmp_path / "out" / f"{name}.fits" for name in ("COMBINE_gc1", "EXP_MASK_gc1", "COMBINE_gc1_IMAGE")]
    task = EsorexTask(
        step="combine", run=run, product=places[0], inputs=(), choices={}, measured={}, others=tuple(places[1:])
    )
    found = sort_products(FinishedRun(run=run, folder=tmp_path, status=0, lines=()), task)
    assert {source.name: place.name for source, place in found.items()} == {
        "combine_sci_reconstructed_gc1.fits": "COMBINE_gc1.fits",
        "exp_mask_sci_reconstructed_gc1.fits": "EXP_MASK_gc1.fits",
        "make_image.fits": "COMBINE_gc1_IMAGE.fits",
        "IDP_COMBINED_CUBE_gc1.fits": "COMBINE_gc1_IDP_COMBINED_CUBE_gc1.fits",
    }


def test_comparisons_are_native(visits, tmp_path, capsys):
    files = [str(path) for path in visits[0]]
    assert main(["combine", *files, "-o", str(tmp_path), "--versus", "1:2", "--engine", "esorex"]) == 2
    assert "--versus compares what the native engine combines" in capsys.readouterr().err
    words = ["sky-tweak", files[0], "--sky", files[1], "-o", str(tmp_path), "--compare-methods", "--engine", "esorex"]
    assert main(words) == 2
    assert "--compare-methods compares methods of the native engine" in capsys.readouterr().err
