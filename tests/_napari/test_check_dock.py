"""The dock that tells how the file of the active layer was made."""

from collections.abc import Callable
from pathlib import Path

import pytest
from astropy import units as u
from astropy.io import fits
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_kmos._napari.reader import add_file
from napari_kmos._napari.widgets.check import CheckDock

WAIT_MS = 20_000


def cell(table, row: int, column: int) -> str:
    return table.item(row, column).text()


@pytest.mark.viewer
def test_the_file_of_the_active_layer_is_judged(qtbot: QtBot, exposure_file: Callable[..., Path]):
    """History and verdicts follow the layer that is looked at; without one the tables are empty."""
    facts = {"ifus": (5,), "shape": (40, 6, 9)}
    made, bare = exposure_file("made.fits", **facts, unit=u.adu / u.s), exposure_file("bare.fits", **facts, unit=None)
    with fits.open(made, mode="update") as hdus:
        header = hdus[0].header
        header["HIERARCH ESO PRO REC1 ID"] = "kmos_sci_red"
        header["HIERARCH ESO PRO REC1 PARAM3 NAME"] = "no_subtract"
        header["HIERARCH ESO PRO REC1 PARAM3 VALUE"] = ("true", "Default: false")
    viewer = ViewerModel()
    dock = CheckDock(viewer)
    qtbot.addWidget(dock)
    dock.show()
    assert "Open a cube" in dock.message.text()
    (first,), (second,) = add_file(viewer, made), add_file(viewer, bare)
    viewer.layers.selection.active = first
    qtbot.waitUntil(lambda: dock.message.text().startswith("made.fits"), timeout=WAIT_MS)
    assert cell(dock.history, 0, 0) == "kmos_sci_red"
    assert cell(dock.history, 0, 3) == "no_subtract=true (default false)"
    assert [cell(dock.verdicts, row, 1) for row in (0, 4)] == ["sky", "flux calibration"]
    assert [cell(dock.verdicts, row, 0) for row in (0, 4)] == ["good", "bad"]
    viewer.layers.selection.active = second
    qtbot.waitUntil(lambda: dock.message.text().startswith("bare.fits: no recipe"), timeout=WAIT_MS)
    assert dock.history.rowCount() == 0
    assert cell(dock.verdicts, 0, 0) == "unknown"
    viewer.layers.clear()
    assert (dock.verdicts.rowCount(), dock.message.text()) == (0, "Open a cube: how its file was made appears here")
