"""A viewer in a process of its own: it aligns by mouse and keys and waits to be killed, or tells what it finds.

``python killed_viewer.py work FILE FILE`` prints a line of JSON when the row is accepted, and goes on;
``python killed_viewer.py look FILE FILE`` prints one and ends.

``python killed_viewer.py decide FILE FILE`` opens a window with all docks, decides of everything, prints that and goes
on; ``python killed_viewer.py restore FILE`` opens a file, takes what is offered then, and prints what was decided.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import decided
import napari
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_kmos._napari.app import make_viewer
from napari_kmos._napari.commands import set_north_up
from napari_kmos._napari.keeper import keeper_of
from napari_kmos._napari.layers import kmos_of
from napari_kmos._napari.points import read_points
from napari_kmos._napari.positions import offset_of
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.session import session_of
from napari_kmos._napari.widgets.align import AlignDock
from napari_kmos._napari.widgets.open_docks import open_docks
from napari_kmos._napari.widgets.session import SessionDock
from napari_kmos.session import decisions
from napari_kmos.session.values import to_plain

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


def told_decisions(viewer: napari.Viewer) -> dict[str, Any]:
    """Return every decision of a session as plain data, with whole paths; and what is seen of some."""
    values = to_plain(decisions(session_of(viewer)), str)
    places = [offset_of(layer) for layer in viewer.layers if kmos_of(layer) is not None]
    return {"decisions": values, "layers": places, "stars": len(read_points(viewer, session_of(viewer).apertures))}


def decide(paths: list[Path]) -> dict[str, Any]:
    """Decide of everything in a window with all docks."""
    viewer = make_viewer(paths)
    QTest.qWait(200)
    decided.decide_everything(session_of(viewer), paths[0].parent)
    QTest.qWait(1)
    return told_decisions(viewer)


def restore(paths: list[Path]) -> dict[str, Any]:
    """Open a file, and restore the session that is offered."""
    viewer = make_viewer(paths)
    keeper = keeper_of(viewer)
    for _ in range(100):
        QTest.qWait(100)
        if keeper.offer is not None:
            break
    dock = next(one for one in open_docks if isinstance(one, SessionDock))
    dock.restore_button.click()
    QTest.qWait(500)  # whatever docks do with that
    return told_decisions(viewer) | {"said": dock.message.text()}


def main(what: str, *names: str) -> None:
    """Do one of these."""
    paths = [Path(name) for name in names]
    if what in ("decide", "restore"):
        told = (decide if what == "decide" else restore)(paths)
    else:
        viewer, dock = open_viewer(paths)
        told = work(viewer, dock) | look(dock) if what == "work" else look(dock)
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    if what in ("work", "decide"):
        QApplication.instance().exec()  # until it is killed


if __name__ == "__main__":
    main(*sys.argv[1:])
