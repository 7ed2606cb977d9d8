"""A job is done once, and again only when something it depends on has changed."""

from __future__ import annotations

import os
import warnings

import pytest

from napari_kmos.errors import KmosError, KmosWarning, WriteError
from napari_kmos.io import atomic_path
from napari_kmos.progress import Cancelled, silent
from napari_kmos.recipes.jobs import Job, do_job
from napari_kmos.recipes.outcome import Outcome


class Recipe:
    """A recipe that joins texts, and counts how often it was called."""

    def __init__(self, folder):
        self.folder, self.calls, self.overwrites = folder, 0, []
        self.names = ["out.txt", "table.ecsv"]
        self.fails = None

    def __call__(self, inputs, parameters):
        def call(overwrite, progress):
            self.calls += 1
            self.overwrites.append(overwrite)
            for name in self.names:
                with atomic_path(self.folder / name, overwrite) as path:
                    path.write_text("".join(item.read_text() for item in inputs) + str(parameters))
                if self.fails is not None:
                    raise self.fails
            warnings.warn("thin", KmosWarning, stacklevel=1)
            products = tuple(self.folder / name for name in self.names)
            return Outcome(products=products[:1], extras=products[1:], measured={"n": len(inputs), "bad": float("nan")})

        return Job(step="join", name="job", folder=self.folder, inputs=tuple(inputs), parameters=parameters, call=call)


@pytest.fixture
def recipe(tmp_path):
    return Recipe(tmp_path / "out")


@pytest.fixture
def inputs(tmp_path):
    paths = [tmp_path / "in" / name for name in ("a.txt", "b.txt")]
    paths[0].parent.mkdir()
    for path in paths:
        path.write_text(path.name)
    return paths


def _do(job, **how):
    with pytest.warns(KmosWarning, match="thin"):
        return do_job(job, progress=silent, **how)


def test_unchanged_job_is_not_done_again(recipe, inputs):
    """The second time gives the first's outcome, warnings included."""
    first, done = _do(recipe(inputs, {"k": (1, 2)}))
    assert done
    second, done = _do(recipe(inputs, {"k": (1, 2)}))
    assert not done
    assert recipe.calls == 1
    assert second.products == first.products == (recipe.folder / "out.txt",)
    assert second.extras == first.extras
    assert second.measured == {"n": 2, "bad": None}


@pytest.mark.parametrize(
    "change",
    [
        lambda recipe, inputs: recipe(inputs, {"k": 2}),
        lambda recipe, inputs: inputs[0].write_text("new") and recipe(inputs, {"k": 1}),
        lambda recipe, inputs: recipe(inputs[:1], {"k": 1}),
        lambda recipe, inputs: recipe(inputs[::-1], {"k": 1}),
        lambda recipe, inputs: (recipe.folder / "out.txt").unlink() or recipe(inputs, {"k": 1}),
        lambda recipe, inputs: (recipe.folder / "out.txt").write_text("broken") and recipe(inputs, {"k": 1}),
        lambda recipe, inputs: (recipe.folder / "job.run.json").write_text("{}") and recipe(inputs, {"k": 1}),
    ],
    ids=["parameter", "content", "fewer inputs", "order", "product gone", "product damaged", "record spoilt"],
)
def test_changed_job_is_done_again(recipe, inputs, change):
    """Whatever a product depends on, and the product itself."""
    _do(recipe(inputs, {"k": 1}))
    job = change(recipe, inputs)
    overwrite = "products" not in (recipe.folder / "job.run.json").read_text()
    assert _do(job, overwrite=overwrite)[1]
    assert recipe.calls == 2


def test_touched_and_moved_inputs_are_the_same(recipe, inputs, tmp_path):
    """Contents count, not dates or places."""
    _do(recipe(inputs, {}))
    os.utime(inputs[0], ns=(1, 1))
    assert not _do(recipe(inputs, {}))[1]
    inputs[0].parent.rename(tmp_path / "moved")
    assert not _do(recipe([tmp_path / "moved" / path.name for path in inputs], {}))[1]


def test_again_is_done_again(recipe, inputs):
    """As `--from` wants it."""
    _do(recipe(inputs, {}))
    assert _do(recipe(inputs, {}), again=True)[1]


def test_products_of_others_are_kept(recipe, inputs):
    """Without a record of ours a file that is there is somebody's."""
    recipe.folder.mkdir()
    (recipe.folder / "out.txt").write_text("precious")
    with pytest.raises(WriteError, match="exists"):
        do_job(recipe(inputs, {}), progress=silent)


@pytest.mark.parametrize("error", [KmosError("no"), Cancelled(), KeyboardInterrupt()])
def test_interrupted_job_is_resumed(recipe, inputs, error):
    """What was written before the interruption is replaced the next time, without being asked."""
    recipe.fails = error
    with pytest.raises(type(error)):
        do_job(recipe(inputs, {}), progress=silent)
    assert {path.name for path in recipe.folder.iterdir()} == {"out.txt", "job.run.json"}
    recipe.fails = None
    assert _do(recipe(inputs, {}))[1]
    assert recipe.overwrites == [False, True]


def test_edited_table_is_kept(recipe, inputs):
    """An edit by hand is a warning while nothing else changed, and an error where it would be lost."""
    _do(recipe(inputs, {"k": 1}))
    (recipe.folder / "table.ecsv").write_text("mine")
    with pytest.warns(KmosWarning, match=r"table.ecsv: was edited .* the edit is kept"):
        assert not _do(recipe(inputs, {"k": 1}))[1]
    with pytest.raises(WriteError, match=r"table.ecsv: was edited .* what it was made from has changed"):
        do_job(recipe(inputs, {"k": 2}), progress=silent)
    assert (recipe.folder / "table.ecsv").read_text() == "mine"
    assert _do(recipe(inputs, {"k": 2}), overwrite=True)[1]


def test_products_no_longer_made_are_removed(recipe, inputs):
    """A star taken out of the table leaves no spectrum behind; a changed file is left alone."""
    recipe.names = ["out.txt", "old.txt", "edited.txt"]
    _do(recipe(inputs, {"k": 1}))
    (recipe.folder / "edited.txt").write_text("mine")
    recipe.names = ["out.txt"]
    _do(recipe(inputs, {"k": 2}))
    assert {path.name for path in recipe.folder.iterdir()} == {"out.txt", "edited.txt", "job.run.json"}


def test_missing_input_is_told(recipe, tmp_path):
    with pytest.raises(KmosError, match=r"gone\.txt: cannot be read"):
        do_job(recipe([tmp_path / "gone.txt"], {}), progress=silent)
