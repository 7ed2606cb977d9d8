"""A plan is run from the sky to the spectra; what is done and unchanged is not done again."""

from __future__ import annotations

import dataclasses
import os
import shutil

import pytest
from astropy.io import fits

from napari_kmos.errors import KmosError, KmosWarning, WriteError
from napari_kmos.io import (
    read_apertures,
    read_cube,
    read_exposure,
    read_offsets,
    temporary_beside,
    write_apertures,
    write_offsets,
)
from napari_kmos.progress import Cancelled, silent
from napari_kmos.recipes.demo_clicks import click_list
from napari_kmos.recipes.plan import make_plan
from napari_kmos.recipes.plan_file import read_plan, set_in_plan
from napari_kmos.recipes.run import run_plan
from napari_kmos.recipes.simulate import simulate
from napari_kmos.simulate import SimulationParameters
from napari_kmos.simulate.scene import make_scene

# Small enough to run in a second or two, large enough that every step has something to do.
NIGHT = SimulationParameters(seed=3, ifus=2, exposures=2, epochs=1, skies=1, nz=320)
pytestmark = pytest.mark.filterwarnings("ignore::napari_kmos.errors.KmosWarning")


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A simulated night with its plan and click list."""
    folder = tmp_path_factory.mktemp("night")
    simulate(folder / "night", parameters=NIGHT)
    write_apertures(click_list(make_scene(NIGHT)), folder / "stars.ecsv")
    plan = make_plan([folder / "night"], folder / "night.toml").products[0]
    set_in_plan(plan, "extract", apertures="stars.ecsv")
    return folder


@pytest.fixture(scope="module")
def finished(night):
    """The night with its products."""
    run_plan(night / "night.toml", night / "products")
    return night


@pytest.fixture
def again(finished, tmp_path):
    """A copy of the finished night, to be changed; files keep their dates."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path


def _done(outcome):
    """Return the names of the jobs that were done."""
    return [(job["step"], job["job"]) for job in outcome.measured["jobs"] if job["done"]]


def _steps(outcome):
    return list(dict.fromkeys(step for step, _ in _done(outcome)))


def _cubes(folder):
    """Return the combined cubes in a folder, without their images."""
    return [path for path in folder.glob("COMBINE_*.fits") if not path.stem.endswith("_IMAGE")]


def test_every_step_is_done(finished):
    """Products of every step, in their folders, readable as what they are."""
    out = finished / "products"
    outcome = run_plan(finished / "night.toml", out)
    assert {path.relative_to(out).parts[0] for path in (*outcome.products, *outcome.extras)} == {
        "sky_tweak",
        "align",
        "combine",
        "extract",
        "compare",
    }
    cubes = _cubes(out / "combine")
    assert set(outcome.products[:2]) == set(cubes)
    assert read_cube(cubes[0]).shape[0] == NIGHT.nz
    assert len(read_offsets(out / "align" / "offsets.ecsv")) == 4
    regions = (out / "compare" / "compare.reg").read_text()
    for aperture in read_apertures(finished / "stars.ecsv"):
        assert (f"text={{{aperture.id}," in regions) == (aperture.kind == "star")


def test_a_target_may_be_called_as_an_image_is(night, tmp_path):
    shutil.copytree(night / "night", tmp_path / "night")
    shutil.copy(night / "stars.ecsv", tmp_path)
    objects = read_plan(night / "night.toml").of_role("object")
    ifus = list(objects[0].targets)
    for exposure in objects:
        (path,) = (tmp_path / "night").rglob(exposure.file.name)
        fits.setval(path, f"HIERARCH ESO OCS ARM{ifus[0]} NAME", value="gc_IMAGE")
    plan = make_plan([tmp_path / "night"], tmp_path / "night.toml").products[0]
    set_in_plan(plan, "extract", apertures="stars.ecsv")
    outcome = run_plan(plan, tmp_path / "products")
    tables = [path.name for path in outcome.products if path.name.startswith("spectra_")]
    assert (tmp_path / "products" / "combine" / "COMBINE_gc_IMAGE.fits").is_file()
    assert len(tables) == len(ifus)


def test_nothing_is_done_twice(finished):
    """A second run finds everything done and leaves every file alone."""
    before = {path: path.stat().st_mtime_ns for path in (finished / "products").rglob("*") if path.is_file()}
    outcome = run_plan(finished / "night.toml", finished / "products")
    assert _done(outcome) == []
    assert len(outcome.measured["jobs"]) == 6
    after = {path: path.stat().st_mtime_ns for path in (finished / "products").rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("by", ["all", "half"])
def test_a_dropped_exposure_costs_its_combination_only(again, by):
    """Skies, offsets and the cubes it was not part of stay as they are; taken back, all is as before."""
    plan = set_in_plan(again / "night.toml", "combine", by=by)
    run_plan(plan, again / "products")
    table = (again / "products" / "align" / "offsets.ecsv").read_bytes()
    last = read_plan(plan).of_role("object")[-1].file.name
    set_in_plan(plan, "combine", drop=[last])
    outcome = run_plan(plan, again / "products")
    # in halves of one exposure, nothing is left of the second: the first is as it was
    assert _steps(outcome) == (["combine", "extract", "compare"] if by == "all" else ["compare"])
    assert (again / "products" / "align" / "offsets.ecsv").read_bytes() == table
    told = [one for job in outcome.measured["combine"] for one in job.values() if "exposures" in one]
    assert all(len(one["exposures"]) == 1 for one in told)
    set_in_plan(plan, "combine", drop=["no such file"])
    with pytest.raises(KmosError, match=r"drop names no such file, which is no object of the plan"):
        run_plan(plan, again / "new")
    assert not (again / "new").exists()


def test_offsets_against_a_catalogue(again):
    plan = set_in_plan(again / "night.toml", "align", method="catalogue", catalogue="night/truth.ecsv")
    assert _steps(run_plan(plan, again / "products")) == ["align", "combine", "extract", "compare"]
    rows = read_offsets(again / "products" / "align" / "offsets.ecsv")
    assert {row.method for row in rows} == {"catalogue"}
    set_in_plan(plan, "align", reference=str(read_plan(plan).of_role("object")[0].file))
    with pytest.raises(KmosError, match=r"\[align\] has a reference and a catalogue; only one can be right"):
        run_plan(plan, again / "products")


@pytest.mark.parametrize(
    ("step", "settings", "redone"),
    [
        ("sky-tweak", {"line_hw": 5}, ["sky-tweak", "align", "combine", "extract", "compare"]),
        ("align", {"method": "header"}, ["align", "combine", "extract", "compare"]),
        ("combine", {"cmethod": "average"}, ["combine", "extract", "compare"]),
        ("extract", {"outer": 3.5}, ["extract", "compare"]),
        ("compare", {"windows": "2.22-2.28"}, ["compare"]),
    ],
)
def test_a_change_redoes_what_depends_on_it(again, step, settings, redone):
    """Steps before the one that changed are left alone."""
    set_in_plan(again / "night.toml", step, **settings)
    assert _steps(run_plan(again / "night.toml", again / "products")) == redone
    assert _steps(run_plan(again / "night.toml", again / "products")) == []


def test_a_change_without_effect_stops_there(again):
    """A step whose inputs come out the same is not done again, whatever was done before it."""
    set_in_plan(again / "night.toml", "align", candidates=3)
    outcome = run_plan(again / "night.toml", again / "products")
    assert _steps(outcome)[0] == "align"
    assert "compare" not in _steps(outcome)


def test_another_role_redoes_what_it_concerns(again):
    """An exposure that is taken out keeps its product; what was made of all is made again without it."""
    plan = again / "night.toml"
    plan.write_text(plan.read_text().replace('role = "object"', 'role = "skip"', 1))
    outcome = run_plan(plan, again / "products")
    assert _steps(outcome) == ["align", "combine", "extract", "compare"]
    assert len(read_offsets(again / "products/align/offsets.ecsv")) == 2


def test_clicking_a_star_away_removes_its_spectrum(again):
    """Only the spectra are made again, and none is left of the star that is gone."""
    stars = read_apertures(again / "stars.ecsv")
    write_apertures(stars[1:], again / "stars.ecsv", overwrite=True)
    outcome = run_plan(again / "night.toml", again / "products")
    assert _steps(outcome) == ["extract", "compare"]
    assert not list((again / "products").rglob(f"spec_*{stars[0].id}*"))
    assert list((again / "products").rglob(f"spec_*{stars[1].id}*"))


def test_missing_product_is_made_again(again):
    """A product that was deleted comes back; as it is the same as before, nothing after it is redone."""
    (cube, *_) = sorted((again / "products" / "combine").glob("COMBINE_*_IMAGE.fits"))
    cube.unlink()
    assert "combine" in _steps(run_plan(again / "night.toml", again / "products"))
    assert cube.exists()


def test_edited_offsets_are_used(again):
    """A person's word on an offset stays, and what comes after it is made again with it."""
    table = again / "products/align/offsets.ecsv"
    rows = read_offsets(table)
    edited = [dataclasses.replace(row, dra_arcsec=row.dra_arcsec + 0.1, method="hand") for row in rows]
    write_offsets(edited, table, overwrite=True)
    outcome = run_plan(again / "night.toml", again / "products")
    assert _steps(outcome) == ["combine", "extract", "compare"]
    assert {row.method for row in read_offsets(table)} == {"hand"}


def test_from_a_step_on(again):
    """--from does a step and those after it again."""
    outcome = run_plan(again / "night.toml", again / "products", from_step="extract")
    assert _steps(outcome) == ["extract", "compare"]
    with pytest.raises(KmosError, match="no step 'extrakt'; expected 'extract'"):
        run_plan(again / "night.toml", again / "products", from_step="extrakt")


def test_stopped_run_goes_on(night, tmp_path):
    """What was finished before the stop is kept, nothing half-written is left."""
    shutil.copytree(night, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("products"))

    def stop(done, total, text):
        if text.startswith("combine"):
            raise Cancelled

    with pytest.raises(Cancelled):
        run_plan(tmp_path / "night.toml", tmp_path / "products", progress=stop)
    assert not list((tmp_path / "products").rglob("*.part*"))
    outcome = run_plan(tmp_path / "night.toml", tmp_path / "products")
    assert _steps(outcome) == ["combine", "extract", "compare"]


def test_of_two_runs_in_one_folder_the_second_is_told(finished):
    """Each would take what the other has just written for its own."""
    theirs = temporary_beside(finished / "products" / "run", pid=os.getppid())
    theirs.touch()
    try:
        with pytest.raises(WriteError, match=rf"run: another process \({os.getppid()}\) is at work on it; wait"):
            run_plan(finished / "night.toml", finished / "products")
    finally:
        theirs.unlink()


@pytest.mark.filterwarnings("default::napari_kmos.errors.KmosWarning")
def test_without_apertures_it_ends_with_the_cubes(again):
    """And says how to go on."""
    plan = again / "night.toml"
    plan.write_text(plan.read_text().replace('apertures = "stars.ecsv"', ""))
    with pytest.warns(KmosWarning, match=r"names no apertures.*napari-kmos view"):
        outcome = run_plan(plan, again / "products")
    assert [job["step"] for job in outcome.measured["jobs"]][-1] == "combine"


def test_ifu_taken_out_is_left_out(again):
    """An IFU that is taken out of `targets` of an exposure does not enter the combination."""
    plan = again / "night.toml"
    first = read_plan(plan).of_role("object")[0]
    ifu, name = next(iter(first.targets.items()))
    text = plan.read_text()
    assert f'{ifu} = "{name}", ' in text
    plan.write_text(text.replace(f'{ifu} = "{name}", ', "", 1))
    run_plan(plan, again / "products")
    cubes = [read_exposure(path) for path in _cubes(again / "products/combine")]
    used = {cube.arms[0].name: cube.cube().header["ESO PRO DATANCOM"] for cube in cubes}
    assert used[name] == 1
    assert sorted(used.values()) == [1, 2]


def test_epochs_and_halves_apart(again):
    """`by` makes a cube for each group."""
    set_in_plan(again / "night.toml", "combine", by="half")
    run_plan(again / "night.toml", again / "products", progress=silent)
    for step, product in (("combine", "COMBINE_*.fits"), ("extract", "spec_*.fits")):
        folders = {path.parent.name for path in (again / "products" / step).glob(f"*/{product}")}
        assert folders == {"p1_half1", "p1_half2"}
    regions = (again / "products/compare/compare.reg").read_text()
    assert regions.count("text={star03_001,") == 2
