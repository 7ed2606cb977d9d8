"""Stars that are clicked in the pictures of a pair give its offset."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from factories import STARS
from napari.components import ViewerModel

from napari_kmos._napari.pair_clicks import PairClicks, marks_layer
from napari_kmos._napari.pair_view import PairView
from napari_kmos._napari.pictures import BESIDE, COLOURS, PLAIN
from napari_kmos._napari.positions import move_to
from napari_kmos._napari.reader import add_file
from napari_kmos.errors import KmosError

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

RIGHT = (-0.4, 0.2)


@pytest.fixture
def view(qtbot: QtBot, pair_of_files: tuple[Path, Path]) -> PairView:
    viewer = ViewerModel()
    for path in pair_of_files:
        add_file(viewer, path)
    return PairView(viewer)


def shown(qtbot, view, mode=COLOURS):
    with qtbot.waitSignal(view.scored):
        view.show(view.viewer.layers[0], view.viewer.layers[1], mode=mode)


def place(layer, star, off=0.0):
    """Where a star is drawn, the pointer being off by some of a spaxel."""
    return tuple(layer.data_to_world((STARS[star][0] + off, STARS[star][1] - off)))


def begun(view):
    clicks = PairClicks(view)
    asked, measured = [], []
    clicks.asked.connect(asked.append)
    clicks.measured.connect(measured.append)
    clicks.begin()
    return clicks, asked, measured


@pytest.mark.parametrize(("mode", "places"), [(COLOURS, ("cyan", "red")), (BESIDE, ("right", "left"))])
def test_a_star_and_its_counterpart_give_the_offset(qtbot, view, mode, places):
    shown(qtbot, view, mode)
    reference, moving = view.pictures.layers
    clicks, asked, measured = begun(view)
    assert asked[-1] == f"Click a star in the moving image ({places[0]})"
    clicks.click(place(moving, 0, 0.8))
    assert asked[-1] == f"Click the same star in the reference ({places[1]})"
    assert not measured
    clicks.click(place(reference, 0, -0.6))
    (one,) = measured
    assert (one.dra_arcsec, one.ddec_arcsec) == pytest.approx(RIGHT, abs=0.02)  # a tenth of a spaxel
    assert one.err_arcsec < 0.03
    for layer, off in ((moving, 0.5), (reference, 0.7)):
        clicks.click(place(layer, 1, off))
    assert measured[-1].n_pairs == 2
    assert measured[-1].rms_arcsec < 0.03
    assert asked[-1] == f"Click a star in the moving image ({places[0]}) (2 done)"


def test_beside_each_other_the_reference_may_be_clicked_first(qtbot, view):
    shown(qtbot, view, BESIDE)
    reference, moving = view.pictures.layers
    clicks, asked, measured = begun(view)
    clicks.click(place(reference, 0))
    assert asked[-1] == "Click the same star in the moving image (right)"
    clicks.forget()
    assert asked[-1] == "Click a star in the moving image (right)"
    for layer, star in ((reference, 0), (moving, 0), (moving, 1), (reference, 1)):
        clicks.click(place(layer, star))
    assert (measured[-1].dra_arcsec, measured[-1].ddec_arcsec) == pytest.approx(RIGHT, abs=0.02)
    assert measured[-1].n_pairs == 2


def test_the_layer_may_stand_anywhere_while_it_is_clicked_and_the_marks_move_along(qtbot, view):
    shown(qtbot, view)
    clicks, _, measured = begun(view)
    clicks.click(place(view.pictures.moving, 0))
    with qtbot.waitSignal(view.scored):
        move_to(view.viewer.layers[1], 0.7, -0.9)
    clicks.click(place(view.pictures.reference, 0))
    assert (measured[0].dra_arcsec, measured[0].ddec_arcsec) == pytest.approx(RIGHT, abs=0.02)
    marks = marks_layer(view.viewer)
    drawn = [place(layer, 0) for layer in view.pictures.layers]
    np.testing.assert_allclose(marks.data, drawn, atol=0.03)


def test_a_click_beside_the_image_is_told_and_the_last_one_can_be_forgotten(qtbot, view):
    shown(qtbot, view)
    reference, moving = view.pictures.layers
    clicks, asked, measured = begun(view)
    clicks.click((90.0, 90.0))
    assert "no data there" in asked[-1]
    assert asked[-1].endswith("Click a star in the moving image (cyan)")
    clicks.click(place(moving, 0))
    clicks.forget()
    assert asked[-1] == "Click a star in the moving image (cyan)"
    for layer, star in ((moving, 0), (reference, 0), (moving, 1), (reference, 0)):
        clicks.click(place(layer, star))
    assert measured[-1].rms_arcsec > 0.3
    clicks.forget()
    assert measured[-1].n_pairs == 1


def test_only_a_press_without_a_drag_is_a_click(qtbot, view):
    shown(qtbot, view)
    clicks, asked, _ = begun(view)
    where = place(view.pictures.moving, 0)
    for wander in (9.0, 1.0):
        event = SimpleNamespace(type="mouse_press", pos=(10.0, 10.0), position=(0.0, *where), button=1)
        gesture = clicks._on_press(view.viewer, event)
        next(gesture)
        event.type, event.pos = "mouse_release", (10.0 + wander, 10.0)
        with pytest.raises(StopIteration):
            next(gesture)
        assert ("counterpart" in asked[-1] or "same star" in asked[-1]) == (wander == 1.0)


def test_marks_go_with_the_clicking_and_the_clicking_with_the_pair(qtbot, view):
    shown(qtbot, view)
    view.viewer.layers.selection.active = view.viewer.layers[1]
    clicks, _, _ = begun(view)
    clicks.click(place(view.pictures.moving, 0))
    assert len(marks_layer(view.viewer).data) == 1
    assert view.viewer.layers.selection.active is view.moving
    view.hide()
    assert marks_layer(view.viewer) is None
    assert not clicks.is_active
    assert len(view.viewer.layers) == 2
    shown(qtbot, view, PLAIN)
    with pytest.raises(KmosError, match="Stars are clicked in the pictures"):
        clicks.begin()
