"""Comparing subsets of files: what is written, what is told, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from dithered_files import Visit, star_sky, write_visits

from napari_kmos.aperture import Aperture
from napari_kmos.cli.main import main
from napari_kmos.combine import CombineParameters, VersusParameters
from napari_kmos.errors import KmosError, KmosWarning, WriteError
from napari_kmos.io import read_images, read_table, write_apertures
from napari_kmos.progress import Cancelled
from napari_kmos.recipes.combine_tasks import CombineChoice
from napari_kmos.recipes.versus import describe_versus, versus
from napari_kmos.recipes.versus_work import VersusWork

AVERAGE = CombineParameters(cmethod="average")
#: The last lies 0.4 arcsec off where its header says, and did not look at the second target.
VISITS = (
    Visit(dither=(0.02, -0.03)),
    Visit(dither=(0.12, -0.11), arms=((3, "gc2"), (12, "gc1"))),
    Visit(dither=(-0.06, 0.08)),
    Visit(dither=(0.05, 0.04), error=(0.4, 0.0), arms=((3, "gc1"),)),
)
GC1 = CombineChoice(name="gc1")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_visits(tmp_path_factory.mktemp("night"), VISITS)


def star():
    ra, dec = star_sky("gc1")
    return Aperture(id="WR 102", ra=ra, dec=dec, radius_arcsec=0.4)


@pytest.fixture(scope="module")
def written(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "new"
    return versus(files, folder, subsets="without:exp3", choice=GC1, parameters=AVERAGE, apertures=[star()])


def test_table_figure_images_and_record(written):
    (table,) = written.products
    assert table.name == "VERSUS_gc1_without_exp3_all.ecsv"
    assert [path.suffix for path in written.extras] == [".png", ".fits", ".json"]
    assert all(path.stem == table.stem for path in written.extras)
    rows = read_table(table)
    assert list(rows["id"]) == ["WR 102"]
    assert rows.meta["a"]["subset"] == "without:exp3"
    assert [len(rows.meta[side]["exposures"]) for side in ("a", "b", "union")] == [3, 4, 4]
    record = json.loads(written.extras[2].read_text())
    assert record["parameters"]["versus"] == "without:exp3:all"
    assert record["measured"]["VERSUS NSHARED"] == 3
    (image,) = read_images(written.extras[1])
    assert np.isfinite(image.data).sum() > 100


def test_the_shifted_exposure_is_told(written):
    told = written.measured["VERSUS_gc1_without_exp3_all.ecsv"]
    assert told["n_shared"] == 3
    assert told["difference"]["outstanding"] > 10
    assert told["a"]["noise_over_union"]["propagated"] == pytest.approx(np.sqrt(4 / 3), rel=0.03)
    text = describe_versus(written)
    assert "gc1: A = without:exp3 (3) against B = all (4); union 4, 3 in both" in text
    assert "without:exp3 instead of all: " in text


def test_each_target_that_is_in_both(files, tmp_path):
    with pytest.warns(KmosWarning, match="gc2: no exposure in 4; not compared"):
        outcome = versus(files, tmp_path, subsets="1:4", parameters=AVERAGE)
    assert [path.name for path in outcome.products] == ["VERSUS_gc1_1_4.ecsv"]
    with pytest.warns(KmosWarning, match="gc2: both subsets are the same; not compared"):
        versus(files, tmp_path, subsets="without:4", parameters=AVERAGE)


def test_nothing_in_both(files, tmp_path):
    with pytest.raises(KmosError, match="4: no exposure is of this subset"):
        versus(files, tmp_path, subsets="1:4", choice=CombineChoice(name="gc2"), parameters=AVERAGE)
    with (
        pytest.warns(KmosWarning, match="gc1: both subsets are the same"),
        pytest.raises(KmosError, match="2:2: no target has exposures in both subsets"),
    ):
        versus(files, tmp_path, subsets="2:2", choice=GC1, parameters=AVERAGE)


def test_subset_that_is_not_understood_leaves_no_folder(files, tmp_path):
    with pytest.raises(KmosError, match="'half3' is no subset"):
        versus(files, tmp_path / "new", subsets="half3", parameters=AVERAGE)
    assert not (tmp_path / "new").exists()


def test_products_that_exist_are_not_replaced(files, tmp_path):
    how = {"subsets": "1,2", "choice": GC1, "parameters": AVERAGE}
    (tmp_path / "VERSUS_gc1_1_2_rest.png").touch()
    with pytest.raises(WriteError, match=r"VERSUS_gc1_1_2_rest\.png"):
        versus(files, tmp_path, **how)
    versus(files, tmp_path, overwrite=True, **how)


def test_cancelled_nothing_is_left(files, tmp_path):
    def cancel(done, total, text):
        raise Cancelled

    with pytest.raises(Cancelled):
        versus(files, tmp_path, subsets="1,2", parameters=AVERAGE, progress=cancel)
    assert list(tmp_path.iterdir()) == []


def test_another_comparison_of_the_same_files_reads_nothing(files, monkeypatch):
    work = VersusWork(files, choice=GC1, parameters=AVERAGE, keep_bytes=10**8)
    (first,) = work.compare("1,2")
    assert 0 < work.kept_bytes <= 10**8

    def read(*args):
        raise AssertionError

    monkeypatch.setattr("napari_kmos.combine.stack.Layer.read", read)
    (dropped,) = work.compare("1:3")
    assert dropped.comparison.union.members == (0, 2)
    assert first.comparison.a.image.data.shape == dropped.comparison.a.image.data.shape
    assert work.files_of("1:3") == ({0}, {2})


def test_from_the_command_line(files, tmp_path, capsys):
    apertures = write_apertures([star()], tmp_path / "stars.reg")
    out = tmp_path / "out"
    words = ["combine", *map(str, files), "--name", "gc1", "-o", str(out), "--cmethod", "average", "-q"]
    assert main([*words, "--versus", "1,2:all", "--apertures", str(apertures)]) == 0
    assert "star WR 102: SNR / measured" in capsys.readouterr().out
    assert main([*words, "--versus", "3,4", "--json", "--most-stars", "1"]) == 0
    told = json.loads(capsys.readouterr().out)["measured"]["VERSUS_gc1_3_4_rest.ecsv"]
    assert (told["a"]["subset"], told["b"]["subset"], len(told["stars"])) == ("3,4", "rest", 1)
    assert not list(out.glob("COMBINE*"))
    assert main([*words, "--apertures", str(apertures)]) == 2
    assert "give --versus too" in capsys.readouterr().err


def test_parameters_of_stars_are_in_the_record(files, tmp_path):
    stars = VersusParameters(most_stars=1, radius_arcsec=0.3)
    outcome = versus(files, tmp_path, subsets="1,2", choice=GC1, parameters=AVERAGE, stars=stars)
    record = json.loads(outcome.extras[2].read_text())
    assert record["parameters"]["radius_arcsec"] == 0.3
    assert len(record["inputs"]) == 4
