"""A viewer in a process of its own: it aligns by mouse and keys and waits to be killed, or tells what it finds.

``python killed_viewer.py work FILE FILE`` prints a line of JSON when the row is accepted, and goes on;
``python killed_viewer.py look FILE FILE`` prints one and ends.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_kmos._napari.commands import set_north_up
from napari_kmos._napari.positions import offset_of
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.widgets.align import AlignDock

#: Pixels of the canvas, to the right and down.
DRAG = (60, -35)
#: What an arrow key moves, in arcsec.
STEP = 0.05


def open_viewer(paths: list[Path]) -> tuple[napari.Viewer, AlignDock]:
    """Open files and the dock in a window in which the canvas can be hit."""
    viewer = napari.Viewer()
    for path in paths:
        add_file(viewer, path)
    dock = AlignDock(viewer)
    viewer.window.add_dock_widget(dock, area="right")
    viewer.window.set_geometry(0, 0, 1500, 950)
    set_north_up(viewer)
    QTest.qWait(200)
    return viewer, dock


def drag(viewer: napari.Viewer) -> None:
    """Drag what is in the middle of the canvas."""
    canvas = viewer.window._qt_viewer.canvas.native
    start = QPoint(canvas.width() // 2, canvas.height() // 2)
    QTest.mouseMove(canvas, start)
    QTest.qWait(50)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    for part in (0.3, 0.7, 1.0):
        QTest.mouseMove(canvas, start + QPoint(round(part * DRAG[0]), round(part * DRAG[1])))
        QTest.qWait(50)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start + QPoint(*DRAG))
    QTest.qWait(50)


def work(viewer: napari.Viewer, dock: AlignDock) -> dict[str, Any]:
    """Drag, undo and redo that, nudge twice, undo the second nudge and accept: by mouse and keys on the canvas."""
    first, second = viewer.layers
    dock.choose(first, second)
    dock.move_button.click()
    canvas = viewer.window._qt_viewer.canvas.native
    zoom = viewer.scene.camera.zoom
    drag(viewer)
    places = {"dragged": offset_of(second)}
    for name, how in (("back", Qt.KeyboardModifier.NoModifier), ("again", Qt.KeyboardModifier.ShiftModifier)):
        QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | how)
        places[name] = offset_of(second)
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Up):
        QTest.keyClick(canvas, key)
    places["nudged"] = offset_of(second)
    QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    places["undone"] = offset_of(second)
    QTest.keyClick(canvas, Qt.Key.Key_A)
    return {"expected": (-DRAG[0] / zoom, -DRAG[1] / zoom), **places}


def look(dock: AlignDock) -> dict[str, Any]:
    """Return the rows and where the layers stand."""
    rows = [row.offset for row in dock.bench.rows()]
    return {
        "rows": [(one.dra_arcsec, one.ddec_arcsec, one.method, one.decision) for one in rows],
        "layers": [offset_of(layer) for layer in dock.viewer.layers],
        "said": dock.message.text(),
    }


def main(what: str, *names: str) -> None:
    """Do one of the two."""
    viewer, dock = open_viewer([Path(name) for name in names])
    told = work(viewer, dock) | look(dock) if what == "work" else look(dock)
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    if what == "work":
        QApplication.instance().exec()  # until it is killed


if __name__ == "__main__":
    main(*sys.argv[1:])
