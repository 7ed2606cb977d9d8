"""The plan: made from both kinds of trees, written, edited, read back."""

from __future__ import annotations

import dataclasses
import shutil

import product_trees as trees
import pytest

from napari_kmos.errors import KmosError, NotKmosError, SkyError, WriteError
from napari_kmos.esorex import EsorexOptions
from napari_kmos.recipes.plan import make_plan
from napari_kmos.recipes.plan_file import read_plan
from napari_kmos.recipes.planned_steps import sky_tweak_jobs


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A plan beside the tree of two visits."""
    folder = tmp_path_factory.mktemp("made")
    trees.reflex_tree(folder / "data")
    make_plan([folder / "data"], folder / "night.toml")
    return folder


@pytest.fixture
def planned(made, tmp_path):
    """A copy of the plan and its data, to be edited."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "night.toml"


def _edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_reflex_tree_is_planned(planned):
    """Two visits are two epochs; the OBs before the sky are half 1, those after it half 2."""
    plan = read_plan(planned)
    assert [len(plan.of_role(role)) for role in ("object", "sky", "skip")] == [8, 2, 0]
    assert [(e.epoch, e.half) for e in plan.of_role("object")] == [
        *(("p1", half) for half in (1, 1, 2, 2)),
        *(("p2", half) for half in (1, 1, 2, 2)),
    ]
    for exposure in plan.of_role("object"):
        (sky,) = exposure.skies
        assert sky.parent == exposure.file.parent
        assert "Sky" in sky.name


def test_concatenation_tree_is_planned(tmp_path):
    """Objects before and after the sky of a concatenation share it; the tweaked product is listed as skipped."""
    outcome = make_plan([trees.concatenation_tree(tmp_path / "base")], tmp_path / "night.toml")
    assert {key: outcome.measured[key] for key in ("objects", "skies", "skipped")} == {
        "objects": 2,
        "skies": 1,
        "skipped": 1,
    }
    plan = read_plan(tmp_path / "night.toml")
    assert [exposure.half for exposure in plan.of_role("object")] == [1, 2]
    assert len({exposure.skies for exposure in plan.of_role("object")}) == 1


def test_plan_says_why_and_names_files_relative(planned):
    """The text is for a person: reasons beside the choices, files relative to the plan."""
    text = planned.read_text()
    assert 'file = "data/p105/comoving_group_mosaic_K_Half1_SINGLE_CUBES_KMOS.p105_0.fits"' in text
    assert "why = \"the word sky in its OB name 'comoving_group_mosaic_K_Sky'\"" in text
    assert 'sky_why = "nearest in time (20 min after), has every IFU of the object"' in text
    assert 'targets = {3 = "star3", 5 = "star5", 22 = "star22"}' in text
    assert 'method = "levels"' in text


def test_plan_can_be_moved_with_its_data(planned, tmp_path):
    """Relative names make the folder portable."""
    (tmp_path / "moved").mkdir()
    for name in ("data", "night.toml"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    assert read_plan(tmp_path / "moved/night.toml").exposures[0].file.parent == tmp_path / "moved/data/p105"


def test_edits_are_read(planned):
    """Roles, skies, epochs, targets and settings can be changed."""
    _edit(planned, 'epoch = "p2"', 'epoch = "second"')
    _edit(planned, 'targets = {3 = "star3", 5 = "star5", 22 = "star22"}', 'targets = {5 = "star5"}')
    _edit(planned, 'method = "levels"', 'method = "plain"')
    _edit(planned, "stretch_degree = 8", "line_hw = 6")
    plan = read_plan(planned)
    assert {exposure.epoch for exposure in plan.exposures} == {"p1", "second"}
    assert plan.exposures[0].targets == {5: "star5"}
    assert plan.settings["sky-tweak"]["method"] == "plain"
    assert plan.settings["sky-tweak"]["line_hw"] == 6


def test_another_pick_than_the_nearest_chooses_among_the_skies_of_the_epoch(planned, tmp_path):
    """One sky is named for every object: there would be nothing to choose from. Several that are named stay."""
    _edit(planned, 'epoch = "p2"', 'epoch = "p1"')
    plan = read_plan(planned)
    skies = [sky.file for sky in plan.of_role("sky")]
    first, *_, last = plan.of_role("object")

    def taken(pick, exposure, **changes):
        changed = dataclasses.replace(plan, settings={"sky-tweak": {"pick": pick}})
        (job,) = sky_tweak_jobs(changed, [dataclasses.replace(exposure, **changes)], tmp_path, esorex=EsorexOptions())
        assert job.parameters["pick"] == pick
        return list(job.inputs[1:])

    assert taken("nearest", first) == list(first.skies) == skies[:1]
    assert taken("best", first) == skies
    assert taken("interpolate", last) == skies[::-1]
    assert taken("best", dataclasses.replace(last, epoch="p9")) == skies[1:]
    assert taken("best", last, skies=(*skies, first.file)) == [*skies, first.file]
    assert taken("nearest", last, skies=()) == skies


@pytest.mark.parametrize(
    ("old", "new", "error", "match"),
    [
        ("role = ", "rolle = ", KmosError, r"exposure 1: unknown key 'rolle'; expected 'role'"),
        ('role = "object"', 'role = "objekt"', KmosError, r"role is 'objekt'; expected object, sky, skip"),
        ("_p105_0.fits", "_0.fits", KmosError, r"exposure 1: .*_0.fits does not exist"),
        ("half = 1", "half = 3", KmosError, "half is 3; expected 1"),
        ("3 = ", "a = ", KmosError, "targets is .* expected a table"),
        ("\n[sky-tweak]", "\n[sky-twek]", KmosError, r"\[sky-twek\] is no step; expected 'sky-tweak'"),
        ("stretch_degree", "min_frak", KmosError, "unknown setting 'min_frak'; expected 'min_frac'"),
        ('method = "levels"', 'method = "davis"', KmosError, "method is 'davis'; expected plain, davies, levels"),
        ("stretch_degree = 8", 'min_frac = "x"', KmosError, "min_frac is 'x'; expected a value of type float"),
        ("stretch_degree = 8", "min_frac = 8", KmosError, "min_frac is 8.0; expected a fraction"),
        ("stretch_degree = 8", "line_hw = 4.5", KmosError, "line_hw is 4.5; expected a value of type int"),
        ("mosaic = false", 'mosaic = "maybe"', KmosError, "mosaic is 'maybe'; expected true or false"),
        ("drop = []", "drop = 3", KmosError, "drop is 3; expected a list of names in quotes"),
        ("drop = []", "drop = [3]", KmosError, r"drop is \[3\]; expected a list of names in quotes"),
        ('# apertures = "stars.ecsv"', 'apertures = "no.ecsv"', KmosError, "apertures no.ecsv does not exist"),
        ("_p105_1.fits", "_p105_0.fits", KmosError, "is named by two exposures"),
        ("[[exposure]]", "[[exposures]]", NotKmosError, r"holds no \[\[exposure\]\] tables"),
        ("role = ", "role ", NotKmosError, "cannot be read as TOML"),
    ],
)
def test_bad_edits_are_told(planned, old, new, error, match):
    """A typing error ends with the place and what was probably meant."""
    text = planned.read_text().replace("KMOS.p105", "_p105")
    for path in (planned.parent / "data/p105").iterdir():
        path.rename(path.with_name(path.name.replace("KMOS.p105", "_p105")))
    count = -1 if old == "[[exposure]]" else 1
    assert old in text
    planned.write_text(text.replace(old, new, count))
    with pytest.raises(error, match=match):
        read_plan(planned)


def test_what_a_sky_is_can_be_told(tmp_path):
    """Where no name tells, the user does."""
    trees.put(tmp_path / "night" / "a" / "o.fits", mjd=58001)
    sky = trees.put(tmp_path / "night" / "b" / "s.fits", mjd=58001.1)
    with pytest.raises(SkyError, match="--sky"):
        make_plan([tmp_path / "night"], tmp_path / "night.toml")
    outcome = make_plan([tmp_path / "night"], tmp_path / "night.toml", skies=[sky.parent])
    assert outcome.measured["why"][str(sky)] == "named as sky when the plan was made"


def test_existing_plan_is_kept(planned):
    """A plan may hold an hour of editing."""
    with pytest.raises(WriteError, match="exists"):
        make_plan([planned.parent / "data"], planned)
