import dataclasses
from pathlib import Path

import pytest
from napari.components import ViewerModel

from napari_kmos._napari.alignment import default_pair, offset_row, row_of, show_offsets, with_rows
from napari_kmos._napari.positions import offset_of
from napari_kmos._napari.reader import add_file
from napari_kmos.errors import AlignmentError
from napari_kmos.offset import Offset

ROW = Offset(
    exposure=1, file="old/second.fits", ifu=5, dra_arcsec=0.1, ddec_arcsec=-0.3, err_arcsec=0.02, method="stars",
    epoch="2022", half=2,
)  # fmt: skip


@pytest.fixture
def viewer(pair_of_files: tuple[Path, Path]) -> ViewerModel:
    viewer = ViewerModel()
    for path in pair_of_files:
        add_file(viewer, path)
    return viewer


def test_accepted_rows_move_the_layers_of_their_file_and_ifu(viewer: ViewerModel):
    first, second = viewer.layers
    others = dataclasses.replace(ROW, file="third.fits"), dataclasses.replace(ROW, ifu=7)
    assert show_offsets(viewer, (*others, ROW)) == 1
    assert offset_of(second) == pytest.approx((0.1, -0.3), abs=1e-9)
    assert offset_of(first) == pytest.approx((0.0, 0.0), abs=1e-9)
    refused = dataclasses.replace(ROW, file="first.fits", accepted=False)
    assert show_offsets(viewer, [refused]) == 1
    assert offset_of(first) == pytest.approx((0.0, 0.0), abs=1e-9)


def test_a_row_is_replaced_by_one_of_the_same_file_and_ifu_and_keeps_its_epoch(viewer: ViewerModel):
    show_offsets(viewer, [dataclasses.replace(ROW, dra_arcsec=0.25)])
    by_hand = offset_row(viewer, viewer.layers[1])
    (row,) = with_rows((ROW,), (by_hand,))
    assert (row.dra_arcsec, row.method, row.epoch, row.half) == (0.25, "hand", "2022", 2)
    assert row.err_arcsec == pytest.approx(0.1)  # half a spaxel
    assert len(with_rows((ROW,), (dataclasses.replace(by_hand, ifu=7),))) == 2


def test_files_of_one_name_are_told_apart_by_their_folders(exposure_file, tmp_path: Path):
    for folder in ("con1", "con2"):
        (tmp_path / folder).mkdir()
    viewer = ViewerModel()
    first, second = (
        add_file(viewer, exposure_file(f"{folder}/cube.fits", ifus=(5,)))[0] for folder in ("con1", "con2")
    )
    rows = with_rows((), [offset_row(viewer, layer) for layer in (first, second)])
    assert [row.file for row in rows] == [str(tmp_path / folder / "cube.fits") for folder in ("con1", "con2")]
    moved = dataclasses.replace(rows[1], dra_arcsec=0.7)
    assert with_rows(rows, [moved]) == (rows[0], moved)
    show_offsets(viewer, [rows[0], moved])
    assert offset_of(first)[0] == pytest.approx(0.0, abs=1e-9)
    assert offset_of(second)[0] == pytest.approx(0.7, abs=1e-9)
    with pytest.raises(AlignmentError, match="rows fit"):
        row_of([dataclasses.replace(row, file="cube.fits") for row in rows], first)


def test_a_measured_row_is_kept_as_measured_only_where_it_was_measured(viewer: ViewerModel):
    layer = viewer.layers[1]
    show_offsets(viewer, [ROW])
    assert offset_row(viewer, layer, measured=ROW).method == "stars"
    assert offset_row(viewer, layer, measured=dataclasses.replace(ROW, dra_arcsec=0.2)).method == "hand"


def test_the_pair_to_begin_with_is_the_same_ifu_of_two_files_the_first_being_the_reference(viewer: ViewerModel):
    first, second = viewer.layers
    assert default_pair(viewer) == (first, second)
    viewer.layers.selection.active = first
    assert default_pair(viewer) == (first, second)
    viewer.layers.remove(second)
    assert default_pair(viewer) == (None, first)
    viewer.layers.clear()
    assert default_pair(viewer) == (None, None)
