"""Rows, decisions, steps back and forth, and what is kept on disk; without a window."""

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import dithered_files
import factories
import numpy as np
import pytest
from astropy.time import Time
from napari.components import ViewerModel

from napari_kmos._napari.align_rows import BY_CLICKS, AlignRow, in_spaxels, next_doubtful, rows_of
from napari_kmos._napari.bench import Bench
from napari_kmos._napari.bench_state import of_file
from napari_kmos._napari.layers import kmos_of
from napari_kmos._napari.pair import Pair, counterpart, references_of
from napari_kmos._napari.points import points_layer
from napari_kmos._napari.positions import move_to, offset_of
from napari_kmos._napari.proposals import propose
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.session import session_of
from napari_kmos.aperture import Aperture
from napari_kmos.errors import AlignmentError, KmosWarning
from napari_kmos.io import write_exposure
from napari_kmos.io.decisions import NAME, Decisions, read_decisions, write_decisions
from napari_kmos.offset import Offset
from napari_kmos.spatial.wcs import pixel_to_sky

MINUTE_DAYS = 1 / 1440
FOUND = {
    "exposure": 0, "file": "", "ifu": 5, "dra_arcsec": -0.4, "ddec_arcsec": 0.2, "err_arcsec": 0.01,
    "method": "correlation", "score": 40.0, "margin": 12.0, "runner_up": (0.2, 0.6),
}  # fmt: skip


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def viewer(pair_of_files: tuple[Path, Path]) -> ViewerModel:
    viewer = ViewerModel()
    for path in pair_of_files:
        add_file(viewer, path)
    return viewer


@pytest.fixture
def bench(viewer: ViewerModel) -> Bench:
    return bench_of(viewer)


def bench_of(viewer: ViewerModel) -> Bench:
    bench = Bench(viewer, session_of(viewer))
    bench.adopt()
    return bench


def keep(bench: Bench) -> tuple[Path, ...]:
    return write_decisions({row.path: of_file(bench.state, row.path) for row in bench.rows()})


def reopened(paths: tuple[Path, ...]) -> tuple[ViewerModel, Bench]:
    viewer = ViewerModel()
    for path in paths:
        add_file(viewer, path)
    return viewer, bench_of(viewer)


def word_of(row: AlignRow) -> tuple[float, float, str, str]:
    return row.offset.dra_arcsec, row.offset.ddec_arcsec, row.offset.method, row.offset.decision


def by_exposure(bench: Bench) -> Mapping[int, AlignRow]:
    return {row.exposure: row for row in bench.rows()}


def test_rows_are_the_ifus_of_all_exposures_with_night_and_half_also_of_files_without_layers(
    tmp_path: Path, exposure_file: Callable[..., Path]
):
    # Two before and one after a pause of ten minutes, and one of the next night; 20:00 to 12:00 UT is one night.
    starts = (59000.1, 59000.1 + 6 * MINUTE_DAYS, 59000.1 + 30 * MINUTE_DAYS, 59001.0)
    paths = []
    for number, mjd in enumerate(starts):
        visit = dithered_files.Visit(arms=((3, "gc1"), (12, "gc2")))
        exposure = dithered_files.make_visit(visit, number, crowded=False, sigma=0.1, exptime=300.0)
        moment = dataclasses.replace(exposure, date=Time(mjd, format="mjd"))
        moment.header["MJD-OBS"] = mjd
        moment.header["DATE-OBS"] = moment.date.isot
        paths.append(write_exposure(moment, tmp_path / f"exp{number}.fits"))
    viewer = ViewerModel()
    for path in paths[:3]:
        add_file(viewer, path)
    rows = rows_of(viewer, [paths[3], paths[0]])
    assert [(row.cube.ifu, row.exposure) for row in rows] == [(ifu, number) for ifu in (3, 12) for number in range(4)]
    assert [(row.epoch, row.half) for row in rows[:4]] == [
        ("2020-05-30", 1), ("2020-05-30", 1), ("2020-05-30", 2), ("2020-05-31", None),
    ]  # fmt: skip
    assert all(row.is_doubtful and row.offset.method == "header" for row in rows)


def test_spaxels_of_a_row_are_along_rows_and_columns(viewer: ViewerModel):
    cube = kmos_of(viewer.layers[1]).cube  # turned by 20 degrees, 0.2 arcsec a spaxel
    angle = np.deg2rad(20)
    x = -(-0.3 * np.cos(angle) - 0.1 * np.sin(angle)) / 0.2
    y = (-0.3 * np.sin(angle) + 0.1 * np.cos(angle)) / 0.2
    assert in_spaxels(cube, -0.3, 0.1) == pytest.approx((x, y), abs=1e-6)


def test_every_change_is_a_step_back_and_forth(viewer: ViewerModel, bench: Bench):
    first, second = viewer.layers
    identity = kmos_of(second).identity
    states = []
    for change in (
        lambda: (move_to(second, 0.3, -0.1), bench.take_over()),
        lambda: bench.move(identity, 0.5, 0.25),
        lambda: bench.propose({identity: Offset(**FOUND)}),
        lambda: bench.take(identity),
        lambda: bench.decide(identity, "accepted", reference=kmos_of(first).identity),
        lambda: bench.decide(identity, "rejected"),
        lambda: bench.decide(identity, "skipped"),
    ):
        states.append((word_of(by_exposure(bench)[1]), offset_of(second), session_of(viewer).offsets))
        change()
    last = word_of(by_exposure(bench)[1])
    assert last == (-0.4, 0.2, "correlation", "skipped")
    assert states[3][0] == (0.5, 0.25, "hand", "")  # moved by hand: a proposal does not move it
    for row, place, offsets in reversed(states):
        assert bench.undo()
        assert word_of(by_exposure(bench)[1]) == row
        assert offset_of(second) == pytest.approx(place, abs=1e-9)
        assert session_of(viewer).offsets == offsets
    assert bench.undo() == ""
    while bench.redo():
        pass
    assert word_of(by_exposure(bench)[1]) == last
    assert by_exposure(bench)[0].offset.method == "reference"


def test_a_rotation_is_drawn_kept_by_hand_and_undone(viewer: ViewerModel, bench: Bench):
    second = viewer.layers[1]
    identity = kmos_of(second).identity
    bench.propose({identity: Offset(**FOUND, rotation_deg=0.4, rotation_err_deg=0.1)})
    assert kmos_of(second).rotation_deg == 0.4
    bench.move(identity, 0.5, 0.25)
    move_to(second, 0.6, 0.25)
    bench.take_over()
    offset = by_exposure(bench)[1].offset
    assert (offset.rotation_deg, kmos_of(second).rotation_deg) == (0.4, 0.4)
    for _ in range(3):
        bench.undo()
    assert kmos_of(second).rotation_deg == 0.0


def test_a_new_change_after_undo_ends_redo(viewer: ViewerModel, bench: Bench):
    identity = kmos_of(viewer.layers[1]).identity
    bench.move(identity, 0.1, 0.0)
    bench.undo()
    bench.move(identity, 0.2, 0.0)
    assert bench.redo() == ""
    assert bench.log.undoable == "Moved exposure 1 IFU 5 star5"


def test_proposals_move_only_what_nobody_touched_and_only_where_they_are_sure(viewer: ViewerModel, bench: Bench):
    first, second = (kmos_of(layer).identity for layer in viewer.layers)
    bench.decide(second, "accepted")
    before = by_exposure(bench)[1].offset
    doubtful = Offset(**{**FOUND, "accepted": False, "note": "no match: no star in common"})
    assert bench.propose({first: doubtful, second: Offset(**FOUND)}) == 0
    rows = by_exposure(bench)
    assert (rows[1].offset, rows[1].proposal.dra_arcsec) == (before, -0.4)
    assert (rows[0].offset.method, rows[0].proposal.note) == ("header", "no match: no star in common")
    assert [offset_of(layer) for layer in viewer.layers] == [pytest.approx((0, 0), abs=1e-9)] * 2
    assert bench.take(second)
    assert word_of(by_exposure(bench)[1]) == (-0.4, 0.2, "correlation", "")


def test_proposals_leave_rows_that_were_moved_by_stars_that_were_clicked(viewer: ViewerModel, bench: Bench):
    second = kmos_of(viewer.layers[1]).identity
    bench.put(second, Offset(**{**FOUND, "dra_arcsec": 0.3, "method": BY_CLICKS, "accepted": False}))
    assert bench.propose({second: Offset(**FOUND)}) == 0
    row = by_exposure(bench)[1]
    assert (row.offset.dra_arcsec, row.offset.method, row.proposal.dra_arcsec) == (0.3, BY_CLICKS, -0.4)


def test_the_next_doubtful_row_is_found_around_the_end(viewer: ViewerModel, bench: Bench):
    first, second = (kmos_of(layer).identity for layer in viewer.layers)
    assert next_doubtful(bench.rows(), None).identity == first
    assert next_doubtful(bench.rows(), second).identity == first
    bench.decide(first, "accepted")
    assert next_doubtful(bench.rows(), first).identity == second
    bench.propose({second: Offset(**FOUND)})
    assert next_doubtful(bench.rows(), first) is None


def test_apertures_move_along_with_the_ifu_they_were_set_on_and_back(viewer: ViewerModel, bench: Bench):
    first, second = viewer.layers
    second.visible = False
    ra, dec = pixel_to_sky(kmos_of(first).cube.wcs, 5.0, 6.0)
    mine = Aperture(id="A", ra=float(ra), dec=float(dec), radius_arcsec=0.3)
    far = Aperture(id="B", ra=float(ra), dec=float(dec) + 0.01, radius_arcsec=0.3)
    session = session_of(viewer)
    session.apertures = (mine, far)
    bench.look_at_apertures()
    second.visible = True
    for layer, moves in ((second, 0.0), (first, 1.0)):
        move_to(layer, 0.36, -0.18)
        bench.take_over()
        moved, stays = session.apertures
        east = (moved.ra - mine.ra) * 3600 * np.cos(np.deg2rad(mine.dec))
        assert (east, 3600 * (moved.dec - mine.dec)) == pytest.approx((0.36 * moves, -0.18 * moves), abs=1e-4)
        assert (stays.ra, stays.dec) == pytest.approx((far.ra, far.dec), abs=1e-8)
    assert len(points_layer(viewer, "star").data) == 2
    bench.undo()
    assert session.apertures[0].dec == pytest.approx(mine.dec, abs=1e-8)


def test_decisions_are_there_again_when_the_same_files_are_opened(
    viewer: ViewerModel, bench: Bench, pair_of_files: tuple[Path, Path]
):
    first, second = (kmos_of(layer).identity for layer in viewer.layers)
    bench.propose({second: Offset(**FOUND)})
    bench.decide(second, "accepted", reference=first)
    bench.move(first, 0.05, 0.0)
    assert keep(bench) == (pair_of_files[0].parent / NAME,)
    viewer, again = reopened(pair_of_files)
    assert [word_of(row) for row in again.rows()] == [(0.05, 0.0, "hand", ""), (-0.4, 0.2, "correlation", "accepted")]
    assert offset_of(viewer.layers[1]) == pytest.approx((-0.4, 0.2), abs=1e-9)
    row = by_exposure(again)[1]
    assert (row.offset.score, row.offset.margin, row.offset.runner_up) == (40.0, 12.0, (0.2, 0.6))
    assert row.proposal == dataclasses.replace(row.offset, decision="")
    assert again.undo().startswith("Restored 2 offsets, 1 of them decided")
    assert offset_of(viewer.layers[1]) == pytest.approx((0, 0), abs=1e-9)


def test_a_file_opened_later_brings_its_own_decisions_and_changes_no_others(
    viewer: ViewerModel, bench: Bench, pair_of_files: tuple[Path, Path]
):
    second = kmos_of(viewer.layers[1]).identity
    bench.decide(second, "rejected")
    keep(bench)
    viewer, again = reopened(pair_of_files[:1])
    again.decide(kmos_of(viewer.layers[0]).identity, "accepted")
    keep(again)
    add_file(viewer, pair_of_files[1])
    again.adopt()
    assert [row.offset.decision for row in again.rows()] == ["accepted", "rejected"]


def test_of_a_file_that_is_another_now_the_offset_is_kept_and_the_decision_is_not(
    viewer: ViewerModel, bench: Bench, pair_of_files: tuple[Path, Path]
):
    second = kmos_of(viewer.layers[1]).identity
    bench.move(second, 0.2, 0.1)
    bench.decide(second, "accepted")
    keep(bench)
    os.utime(pair_of_files[1], ns=(1, 1))
    _, again = reopened(pair_of_files)
    row = by_exposure(again)[1]
    assert word_of(row) == (0.2, 0.1, "hand", "")
    assert (row.offset.accepted, row.is_doubtful) == (False, True)
    assert "has changed" in row.offset.note


def test_decisions_beside_data_that_cannot_be_written_to_are_the_users(
    viewer: ViewerModel, bench: Bench, pair_of_files: tuple[Path, Path], state_folder: Path
):
    (pair_of_files[0].parent / NAME).mkdir()  # also root cannot write a file of this name
    bench.decide(kmos_of(viewer.layers[1]).identity, "accepted")
    (place,) = keep(bench)
    assert place.is_relative_to(state_folder)
    _, again = reopened(pair_of_files)
    assert by_exposure(again)[1].offset.decision == "accepted"


@pytest.mark.parametrize("content", ["{", '{"format": "napari-kmos decisions", "version": 99, "files": {}}', "[]"])
def test_decisions_that_cannot_be_read_are_put_aside_and_not_lost(pair_of_files: tuple[Path, Path], content: str):
    place = pair_of_files[0].parent / NAME
    place.write_text(content)
    with pytest.warns(KmosWarning, match="begin anew"):
        assert read_decisions(pair_of_files) == {}
    assert place.with_name(f"{NAME}.unreadable").read_text() == content


def test_an_entry_that_cannot_be_understood_does_not_stand_in_the_way_of_others(pair_of_files: tuple[Path, Path]):
    row = Offset(**{**FOUND, "err_arcsec": float("nan"), "file": str(pair_of_files[1])})
    (place,) = write_decisions(dict.fromkeys(pair_of_files, Decisions(offsets=(row,))))
    content = json.loads(place.read_text())
    content["files"]["first.fits"]["offsets"][0]["decision"] = "perhaps"
    place.write_text(json.dumps(content))
    with pytest.warns(KmosWarning, match=r"first\.fits: what was kept"):
        found = read_decisions(pair_of_files)
    assert found[pair_of_files[0]].offsets == ()
    (kept,) = found[pair_of_files[1]].offsets
    assert np.isnan(kept.err_arcsec)
    assert dataclasses.replace(kept, err_arcsec=0.0) == dataclasses.replace(row, err_arcsec=0.0)


def test_offsets_read_from_a_file_are_a_step_and_what_is_not_accepted_moves_nothing(viewer: ViewerModel, bench: Bench):
    first, second = viewer.layers
    rows = [
        Offset(**{**FOUND, "file": "old/second.fits"}),
        Offset(**{**FOUND, "file": "first.fits", "accepted": False}),
    ]
    assert bench.read(rows) == 2
    assert offset_of(second) == pytest.approx((-0.4, 0.2), abs=1e-9)
    assert offset_of(first) == pytest.approx((0, 0), abs=1e-9)
    assert {(Path(one.file).name, one.accepted) for one in bench.written()} == {
        ("first.fits", False),
        ("second.fits", True),
    }
    bench.undo()
    assert offset_of(second) == pytest.approx((0, 0), abs=1e-9)


def test_a_row_without_a_layer_gets_one_while_it_is_looked_at(viewer: ViewerModel, pair_of_files: tuple[Path, Path]):
    viewer.layers.pop()
    bench = bench_of(viewer)
    bench.add_files([pair_of_files[1]])
    first, second = bench.rows()
    bench.move(second.identity, 0.3, 0.2)
    pair = Pair(viewer)
    pair.choose_row(bench.rows(), bench.rows()[1])
    assert (pair.base, pair.identity) == (first.identity, second.identity)
    assert offset_of(pair.moving) == pytest.approx((0.3, 0.2), abs=1e-9)
    bench.decide(second.identity, "accepted")
    bench.take_over()
    bench.adopt()
    assert word_of(bench.rows()[1]) == (0.3, 0.2, "hand", "accepted")
    pair.choose(viewer.layers[0], viewer.layers[0])
    assert len(viewer.layers) == 1


def test_files_that_cannot_be_read_are_not_added(viewer: ViewerModel, bench: Bench, tmp_path: Path):
    with pytest.raises(Exception, match=r"gone\.fits"):
        bench.add_files([tmp_path / "gone.fits"])
    assert (bench.files, len(bench.rows())) == ((), 2)


def test_rows_are_compared_with_their_target_whatever_the_arm(tmp_path: Path):
    paths = dithered_files.write_visits(tmp_path)  # the arms swap their targets in the second
    viewer = ViewerModel()
    for path in paths:
        add_file(viewer, path)
    rows = rows_of(viewer)
    assert [one.label for one in references_of(viewer, rows)] == [
        f"exposure {number}: 2020-05-{30 + number}" if number < 2 else "exposure 2: 2020-06-01" for number in range(3)
    ]
    row = next(row for row in rows if (row.exposure, row.cube.ifu) == (1, 3))
    assert (counterpart(rows, row, paths[0]).cube.ifu, row.cube.name) == (12, "gc2")
    assert counterpart(rows, row, paths[1]).exposure == 0


def test_all_rows_are_proposed_against_the_reference_where_it_stands(tmp_path: Path):
    paths = dithered_files.write_visits(tmp_path, crowded=True)
    viewer = ViewerModel()
    for path in paths:
        add_file(viewer, path)
    bench = bench_of(viewer)
    base = next(row for row in bench.rows() if (row.exposure, row.cube.name) == (0, "gc1"))
    right = dithered_files.VISITS[0].error
    bench.move(base.identity, *right)
    found = propose(bench.rows(), reference=paths[0])
    pair = Pair(viewer)
    pair.choose_reference(paths[0])
    # the command tells what rows are against as the dock does
    assert {one.against for one in found.values()} == {pair.zero_of(bench.rows(), row) for row in bench.rows()}
    bench.propose(found)
    rows = [row for row in bench.rows() if row.cube.name == "gc1"]
    assert rows[0].offset.method == "hand"
    for row in rows:
        east, north = dithered_files.VISITS[row.exposure].error
        assert (row.offset.dra_arcsec, row.offset.ddec_arcsec) == pytest.approx((east, north), abs=0.02)
    other = next(row for row in bench.rows() if (row.exposure, row.cube.name) == (0, "gc2"))
    assert (other.offset.method, other.offset.dra_arcsec) == ("reference", 0.0)


def test_one_file_alone_cannot_be_proposed(viewer: ViewerModel):
    viewer.layers.pop()
    with pytest.raises(AlignmentError, match="two exposures or more"):
        propose(rows_of(viewer), reference=kmos_of(viewer.layers[0]).path)


def test_what_is_told_of_an_epoch_and_half_is_added_to_what_is_told_of_a_file(viewer: ViewerModel, bench: Bench):
    night = bench.rows()[0].epoch
    own = Offset(**{**FOUND, "file": "second.fits"})
    whole = Offset(**{**FOUND, "ifu": None, "epoch": night, "dra_arcsec": 0.1, "ddec_arcsec": 0.05, "method": "eye"})
    bench.read([own, whole])
    assert offset_of(viewer.layers[0]) == pytest.approx((0.1, 0.05), abs=1e-9)
    assert offset_of(viewer.layers[1]) == pytest.approx((-0.3, 0.25), abs=1e-9)


def test_the_exposures_of_a_half_can_be_moved_and_decided_together(viewer: ViewerModel, bench: Bench):
    first, second = viewer.layers  # of one night, without an interruption
    bench.move(kmos_of(second).identity, 0.1, 0.2)
    bench.set_by_half(True)
    move_to(first, 0.3, -0.1)
    bench.take_over()
    assert offset_of(second) == pytest.approx((0.4, 0.1), abs=1e-6)
    bench.decide(kmos_of(first).identity, "accepted")
    assert [row.offset.decision for row in bench.rows()] == ["accepted"] * 2
    bench.undo()
    bench.undo()
    assert [offset_of(layer) for layer in viewer.layers] == [
        pytest.approx(place, abs=1e-6) for place in ((0, 0), (0.1, 0.2))
    ]


def test_a_layer_that_was_moved_while_nobody_listened_is_taken_over(viewer: ViewerModel, bench: Bench):
    bench.decide(kmos_of(viewer.layers[1]).identity, "accepted")
    move_to(viewer.layers[1], 0.3, -0.1)
    bench.adopt()
    assert word_of(bench.rows()[1]) == (0.3, -0.1, "hand", "")


def test_files_of_one_name_keep_their_own_rows(exposure_file: Callable[..., Path], tmp_path: Path):
    for folder in ("con1", "con2"):
        (tmp_path / folder).mkdir()
    paths = tuple(
        exposure_file(f"{folder}/cube.fits", ifus=(5,), wcs=factories.make_wcs()) for folder in ("con1", "con2")
    )
    viewer, bench = reopened(paths[:1])
    bench.decide(kmos_of(viewer.layers[0]).identity, "accepted")
    add_file(viewer, paths[1])
    bench.adopt()
    assert [row.offset.decision for row in bench.rows()] == ["accepted", ""]
    bench.move(kmos_of(viewer.layers[1]).identity, 0.1, 0.1)
    assert [one.file for one in session_of(viewer).offsets] == [str(path) for path in paths]
    assert set(keep(bench)) == {path.parent / NAME for path in paths}
