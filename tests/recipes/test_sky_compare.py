"""All methods on exposures: what is written, printed and told."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
from factories import make_exposure
from sky_pairs import make_pair

from napari_kmos.cli.main import main
from napari_kmos.errors import KmosWarning, SkyError, WriteError
from napari_kmos.io import read_json, read_table, write_exposure
from napari_kmos.recipes.sky_compare import sky_compare
from napari_kmos.sky import SKY_METHODS

IFUS = (3, 5)
STEM = "object_SKY_COMPARE"


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Paths of an object and its sky, the object empty in a third IFU."""
    folder = tmp_path_factory.mktemp("night")
    pair = make_pair(shift=0.1, sigma=2.0)
    empty = dataclasses.replace(pair.target, flux=np.full_like(np.asarray(pair.target.flux), np.nan))
    paths = []
    for name, cubes in (("object", (pair.target, pair.target, empty)), ("sky", (pair.sky,) * 3)):
        exposure = make_exposure(ifus=(*IFUS, 7))
        named = dict(zip((*IFUS, 7), cubes, strict=True))
        arms = tuple(
            dataclasses.replace(arm, cube=dataclasses.replace(named[arm.number], ifu=arm.number, name=arm.name))
            if arm.number in named
            else arm
            for arm in exposure.arms
        )
        paths.append(write_exposure(dataclasses.replace(exposure, arms=arms), folder / f"{name}.fits"))
    return paths


@pytest.fixture(scope="module")
def compared(night, tmp_path_factory):
    told = []
    out = tmp_path_factory.mktemp("out")
    outcome = sky_compare([night[0]], [night[1]], out, progress=lambda *news: told.append(news))
    return outcome, out, told


def test_table_record_and_figures_are_written_and_no_cube(compared):
    outcome, out, _ = compared
    assert [path.name for path in outcome.products] == [f"{STEM}.ecsv"]
    assert [path.name for path in outcome.extras] == [f"{STEM}.json", f"{STEM}_IFU3.png", f"{STEM}_IFU5.png"]
    assert sorted(out.iterdir()) == sorted((*outcome.products, *outcome.extras))
    record = read_json(outcome.extras[0])
    assert [item["file"].rpartition("/")[2] for item in record["inputs"]] == ["object.fits", "sky.fits"]


def test_every_ifu_with_data_has_a_row_a_method(compared):
    outcome, _, _ = compared
    table = read_table(outcome.products[0])
    assert table["ifu"].tolist() == [ifu for ifu in IFUS for _ in SKY_METHODS]
    assert table["method"].tolist() == list(SKY_METHODS) * 2
    worst = {method: table["mean"][table["method"] == method].max() for method in SKY_METHODS}
    assert worst["levels"] < 2 < worst["plain"]
    rows = outcome.measured[f"{STEM}.ecsv"]["rows"]
    assert table["mean"].tolist() == [row["mean"] for row in rows]
    json.dumps(outcome.measured[f"{STEM}.ecsv"])


def test_progress_counts_the_ifus(compared):
    _, _, told = compared
    assert [done for done, _, _ in told] == [0, 1, 2, 3]
    assert {total for _, total, _ in told} == {3}


def test_trials_of_skies_are_counted(night, tmp_path):
    """Two skies on one IFU, the IFU itself, and the end."""
    told = []
    skies = [night[1], shutil.copy(night[1], tmp_path / "other.fits")]
    outcome = sky_compare([night[0]], skies, tmp_path, ifu=5, pick="best", progress=lambda *news: told.append(news))
    assert [news[:2] for news in told] == [(done, 3) for done in range(4)]
    assert "trying sky sky.fits" in told[0][2]
    assert outcome.measured[f"{STEM}.ecsv"]["sky"] in {"sky.fits", "other.fits"}


def test_a_sky_that_was_not_asked_for_is_told(night, tmp_path):
    with pytest.warns(KmosWarning, match=r"object.fits: nothing to interpolate between: there is one sky; the sky is"):
        sky_compare([night[0]], [night[1]], tmp_path, ifu=5, pick="interpolate")


def test_command_prints_the_table_or_json(night, tmp_path, capsys):
    words = ["sky-tweak", str(night[0]), "--sky", str(night[1]), "-o", str(tmp_path), "--ifu", "5", "-q"]
    assert main([*words, "--compare-methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(tmp_path / f"{STEM}.ecsv")
    assert lines[1] == "object.fits"
    assert [line.split()[:2] for line in lines[3:]] == [["5", method] for method in SKY_METHODS]
    assert main([*words, "--compare-methods", "--json", "--overwrite"]) == 0
    told = json.loads(capsys.readouterr().out)["measured"][f"{STEM}.ecsv"]
    assert [row["method"] for row in told["rows"]] == list(SKY_METHODS)


def test_existing_table_is_kept(compared, night):
    _, out, _ = compared
    with pytest.raises(WriteError, match="exists"):
        sky_compare([night[0]], [night[1]], out)


def test_object_without_data_is_an_error(night, tmp_path):
    with pytest.raises(SkyError, match="no IFU has data"):
        sky_compare([night[0]], [night[1]], tmp_path, ifu=7)
