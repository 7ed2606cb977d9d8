"""What rows are counted from is told, and rows that do not belong together are warned of."""

import dataclasses
from pathlib import Path

import pytest
from astropy.table import Table
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_kmos._napari.align_files import write_table
from napari_kmos._napari.bench import Bench
from napari_kmos._napari.pair import Pair
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.session import session_of
from napari_kmos._napari.widgets.combine import CombineDock
from napari_kmos._napari.zero_points import mixed_zeros
from napari_kmos.errors import KmosWarning
from napari_kmos.io import catalogue_of, read_exposure, read_offsets, write_exposure
from napari_kmos.offset import Offset
from napari_kmos.recipes.crop import crop
from napari_kmos.recipes.outcome import Outcome

FOUND = Offset(
    exposure=0, file="", ifu=5, dra_arcsec=-0.4, ddec_arcsec=0.2, err_arcsec=0.01, method="correlation", against=""
)


@pytest.fixture
def three(pair_of_files: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path, Path]:
    first, second = pair_of_files
    return first, second, write_exposure(read_exposure(second), tmp_path / "third.fits")


@pytest.fixture
def viewer(three: tuple[Path, ...]) -> ViewerModel:
    viewer = ViewerModel()
    for path in three:
        add_file(viewer, path)
    return viewer


@pytest.fixture
def pair(viewer: ViewerModel) -> Pair:
    return Pair(viewer)


@pytest.fixture
def bench(viewer: ViewerModel, pair: Pair) -> Bench:
    bench = Bench(viewer, session_of(viewer))
    bench.zero_of = pair.zero_shown
    bench.adopt()
    return bench


def propose_all(bench: Bench, pair: Pair, **facts: object) -> None:
    rows = bench.rows()
    found = {row.identity: dataclasses.replace(FOUND, **facts) for row in rows}
    bench.propose(found, {row.identity: pair.zero_of(rows, row) for row in rows})


def against(bench: Bench) -> list[str]:
    return [row.offset.against for row in bench.rows()]


def stars(path: Path):
    return dataclasses.replace(catalogue_of(Table({"ra": [266.0], "dec": [-29.0]}), "truth"), path=path)


def test_rows_against_one_exposure_have_its_zero_point_and_one_against_a_catalogue_does_not(
    bench: Bench, pair: Pair, three: tuple[Path, ...], tmp_path: Path
):
    pair.choose_reference(three[0])
    propose_all(bench, pair)
    assert against(bench) == ["first.fits"] * 3
    pair.choose_reference(three[1])  # which is itself against the first
    propose_all(bench, pair)
    assert against(bench) == ["first.fits"] * 3
    assert mixed_zeros(bench.written()) == ""
    pair.catalogue = stars(tmp_path / "truth.csv")
    rows = bench.rows()
    bench.propose({rows[1].identity: FOUND}, {rows[1].identity: pair.zero_shown(rows, rows[1])})
    assert against(bench) == ["first.fits", "truth.csv", "first.fits"]
    said = r"^IFU 5: rows are against first\.fits and truth\.csv, .*Propose all"
    with pytest.warns(KmosWarning, match=said):
        write_table(bench.written(), tmp_path / "offsets.ecsv")
    assert {one.against for one in read_offsets(tmp_path / "offsets.ecsv")} == {"first.fits", "truth.csv"}
    propose_all(bench, pair)
    assert against(bench) == ["truth.csv"] * 3
    write_table(bench.written(), tmp_path / "offsets.ecsv")
    pair.catalogue = None
    pair.choose_reference(three[2])  # an exposure that a catalogue was used for hands its zero point on
    propose_all(bench, pair)
    assert against(bench) == ["truth.csv"] * 3


def test_a_row_that_was_decided_keeps_its_zero_point_until_its_proposal_is_taken(
    bench: Bench, pair: Pair, three: tuple[Path, ...], tmp_path: Path
):
    rows = bench.rows()
    pair.choose_row(rows, rows[1])
    bench.move(rows[1].identity, 0.1, 0.0)
    bench.decide(rows[1].identity, "accepted", reference=pair.base)
    assert against(bench) == ["first.fits", "first.fits", ""]
    pair.catalogue = stars(tmp_path / "truth.csv")
    propose_all(bench, pair)
    assert against(bench) == ["truth.csv", "first.fits", "truth.csv"]
    assert "first.fits and truth.csv" in mixed_zeros(bench.written())
    bench.decide(rows[1].identity, "rejected")  # it is not used
    assert mixed_zeros(bench.written()) == ""
    bench.take(rows[1].identity)
    assert against(bench) == ["truth.csv"] * 3


def test_offsets_of_which_nobody_told_go_with_each_other_and_with_nothing_else():
    told = [dataclasses.replace(FOUND, file=f"{number}.fits") for number in range(2)]
    assert mixed_zeros(told) == ""
    other = dataclasses.replace(told[0], against="image.fits")
    assert "nobody told what and image.fits" in mixed_zeros([other, told[1]])
    assert mixed_zeros([other, dataclasses.replace(told[1], ifu=6)]) == ""
    assert mixed_zeros([other, dataclasses.replace(told[1], file="", epoch="M107")]) == ""  # it is added to others


def test_combined_cubes_are_compared_with_and_have_rows_where_they_are_asked_for(
    viewer: ViewerModel, bench: Bench, pair: Pair, three: tuple[Path, ...], tmp_path: Path
):
    combined = crop(three[0], tmp_path / "combined.fits", ifu=5).products[0]
    add_file(viewer, combined)
    bench.adopt()
    assert [row.path for row in bench.rows() if row.is_listed] == list(three)
    pair.choose_reference(combined)
    propose_all(bench, pair)
    assert {Path(one.file).name for one in bench.written()} == {path.name for path in three}
    assert {one.against for one in bench.written()} == {"combined.fits"}
    pair.choose_row(bench.rows(), bench.rows()[0])
    bench.decide(bench.rows()[0].identity, "accepted", reference=pair.base)
    assert {Path(one.file).name for one in bench.written()} == {path.name for path in three}
    bench.add_files([combined])
    assert [row.path for row in bench.rows() if row.is_listed] == [*three, combined]


def test_combined_cubes_alone_have_rows(three: tuple[Path, ...], tmp_path: Path):
    viewer = ViewerModel()
    for number, path in enumerate(three[:2]):
        add_file(viewer, crop(path, tmp_path / f"epoch{number}.fits", ifu=5).products[0])
    bench = Bench(viewer, session_of(viewer))
    assert all(row.is_listed for row in bench.rows())


def test_combine_warns_of_offsets_that_do_not_fit_together(viewer: ViewerModel, qtbot: QtBot, tmp_path: Path):
    dock = CombineDock(viewer)
    qtbot.addWidget(dock)
    told = [dataclasses.replace(FOUND, file=f"{number}.fits", against=f"{number}.fits") for number in range(2)]
    dock.session.offsets = tuple(told)
    dock.method.setCurrentText("header")
    assert dock._placing()["offsets"] is None
    dock.method.setCurrentText("user")
    with pytest.warns(KmosWarning, match=r"rows are against 0\.fits and 1\.fits"):
        dock._placing()
    dock._on_done(Outcome(products=(tmp_path / "table.ecsv",)))
    assert "rows are against 0.fits and 1.fits" in dock.message.text()
