"""A plan whose sky and combination are done by the recipes: said in the plan or on the command line, and refused."""

from __future__ import annotations

import json
import shutil

import pytest

from napari_kmos.cli.main import main
from napari_kmos.errors import EngineError, KmosError
from napari_kmos.io import read_exposure, read_recipe_blocks
from napari_kmos.recipes.plan import make_plan
from napari_kmos.recipes.plan_file import read_plan, set_in_plan
from napari_kmos.recipes.planned_engines import with_engine
from napari_kmos.recipes.run import run_plan

pytestmark = pytest.mark.filterwarnings("ignore::napari_kmos.errors.KmosWarning")


@pytest.fixture
def plan(night, tmp_path):
    """Plan of a sky and two objects, placed by their headers."""
    shutil.copytree(night, tmp_path / "night", dirs_exist_ok=True)
    path = make_plan([tmp_path / "night"], tmp_path / "night.toml").products[0]
    return set_in_plan(path, "combine", method="header")


def test_the_plan_names_engine_and_options(options, plan, tmp_path):
    """Another option does only that step again; what is unchanged stays."""
    set_in_plan(plan, "sky-tweak", engine="esorex", recipe_options=["stretch=TRUE"])
    set_in_plan(plan, "combine", engine="esorex", recipe_options=["edge_nan=TRUE"])
    outcome = run_plan(plan, tmp_path / "out", esorex=options)
    cubes = [path for path in outcome.products if path.name.startswith("COMBINE_")]
    assert sorted(path.stem for path in cubes) == ["COMBINE_star22", "COMBINE_star3", "COMBINE_star5"]
    blocks = {block.recipe: block for block in read_recipe_blocks(read_exposure(cubes[0]).header)}
    assert blocks["kmos_sky_tweak"].changed == {"stretch": "true"}
    assert blocks["kmos_combine"].changed["edge_nan"] == "true"
    set_in_plan(plan, "combine", recipe_options=["edge_nan=FALSE"])
    again = run_plan(plan, tmp_path / "out", esorex=options)
    assert [job["step"] for job in again.measured["jobs"] if job["done"]] == ["combine"]


def test_the_command_line_wins(recipe_dir, plan, tmp_path, capsys):
    words = ["run", str(plan), "-o", str(tmp_path / "out"), "--json", "--recipe-dir", str(recipe_dir)]
    assert main([*words, "--engine", "esorex", "--jobs", "2"]) == 0
    told = json.loads(capsys.readouterr().out)["measured"]
    assert all("kmos_sky_tweak" in one["command"] for item in told["sky-tweak"] for one in item.values())
    set_in_plan(plan, "combine", engine="esorex", recipe_options=["edge_nan=TRUE"])
    native = with_engine(read_plan(plan), "native").settings["combine"]
    assert (native["engine"], native["recipe_options"], native["method"]) == ("native", (), "header")


@pytest.mark.parametrize(
    ("step", "settings", "match"),
    [
        ("sky-tweak", {"recipe_options": ["stretsh=TRUE"]}, "no parameter 'stretsh'; did you mean stretch"),
        ("sky-tweak", {"recipe_options": ["stretch"]}, "recipe option 'stretch' is not understood"),
        ("combine", {"zero_points": "header"}, "zero points are taken out by the native engine"),
        ("combine", {"mosaic": True, "method": "user"}, "one shift a frame, not one an IFU"),
        ("combine", {"engine": "native", "recipe_options": ["flux=TRUE"]}, "recipe option flux is for ESO's recipes"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_done(options, plan, tmp_path, step, settings, match):
    set_in_plan(plan, step, **{"engine": "esorex", **settings})
    with pytest.raises(EngineError, match=match):
        run_plan(plan, tmp_path / "out", esorex=options)
    assert not (tmp_path / "out").exists()


def test_settings_of_another_kind(plan):
    plan.write_text(plan.read_text().replace("recipe_options = []", 'recipe_options = "stretch=TRUE"', 1))
    with pytest.raises(KmosError, match="recipe_options is 'stretch=TRUE'; expected a list of names in quotes"):
        read_plan(plan)
    plan.write_text(plan.read_text().replace('"stretch=TRUE"', "[]").replace('engine = "native"', 'engine = "eso"', 1))
    with pytest.raises(KmosError, match="engine is 'eso'; expected native, esorex"):
        read_plan(plan)
