"""A napari window with files open and the docks ready."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import napari
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget

from napari_kmos._napari.commands import set_north_up, sheet_if_scattered
from napari_kmos._napari.keeper import keeper_of
from napari_kmos._napari.labels import show_names_soon
from napari_kmos._napari.layers import add_layers, cube_layers, kmos_of
from napari_kmos._napari.reader import read
from napari_kmos._napari.widgets.align import AlignDock
from napari_kmos._napari.widgets.combine import CombineDock
from napari_kmos._napari.widgets.maps import MapsDock
from napari_kmos._napari.widgets.plot import PlotDock
from napari_kmos._napari.widgets.session import SessionDock
from napari_kmos._napari.widgets.sky_tweak import SkyTweakDock
from napari_kmos._napari.widgets.spectra import SpectraDock
from napari_kmos.errors import KmosError
from napari_kmos.io.session_file import sessions_among

_KEPT = "Session"
_SIDE = {"Align IFUs": AlignDock, "Combine": CombineDock, _KEPT: SessionDock}
_BELOW = {"Sky tweak": SkyTweakDock, "Spectra": SpectraDock, "Plot": PlotDock, "Maps": MapsDock}
_FIRST = "Spectra"
_NAPARIS = ("layer controls", "layer list")
#: On a screen lower than this, in pixels, napari's own docks lie on each other, or the window were higher than it.
_LOW_SCREEN = 940
#: On one narrower than this, docks of the side lie below, too: beside napari's own the window were wider than it.
_NARROW_SCREEN = 1160
#: Of the height of the window, for the docks below.
_SHARE_BELOW = 0.45
#: Of its width, for those at the side.
_SHARE_SIDE = 0.43


def view(paths: Sequence[Path | str]) -> None:
    """Open files in napari and stay until its window is closed.

    Parameters
    ----------
    paths : sequence of path
        Exposures, combined cubes, mosaics, collapsed images; a session file for everything as it was.

    Raises
    ------
    KmosError
        If no file is named, or one cannot be used; no window is opened then.
    """
    make_viewer(paths)
    napari.run()


def make_viewer(paths: Sequence[Path | str]) -> napari.Viewer:
    """Return a viewer with files open, north up, docks with plots below and the other ones at the side.

    Raises
    ------
    KmosError
        If no file is named, or one cannot be used; no window is opened then.
    """
    if not paths:
        msg = "no file is named to be shown; expected at least one cube, exposure, mosaic or image"
        raise KmosError(msg)
    sessions = sessions_among(paths)
    layers = read([str(path) for path in paths if Path(path) not in sessions])  # told before a window opens
    viewer = napari.Viewer(title="napari-kmos", show=False)
    window = viewer.window._qt_window  # napari gives no other way to its own docks
    screen = window.screen().availableSize()
    if screen.height() < _LOW_SCREEN:
        window.tabifyDockWidget(*(window.findChild(QDockWidget, name) for name in _NAPARIS))
    sheet_if_scattered(viewer, add_layers(viewer, layers))
    docks = {
        name: viewer.window.add_dock_widget(dock(viewer), name=f"{name} (KMOS)", area=area, tabify=True)
        for area, some in (("bottom" if screen.width() < _NARROW_SCREEN else "right", _SIDE), ("bottom", _BELOW))
        for name, dock in some.items()
    }
    window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
    viewer.show()
    window.resize(window.size().boundedTo(screen))
    window.resizeDocks([docks[_FIRST]], [round(_SHARE_BELOW * window.height())], Qt.Orientation.Vertical)
    window.resizeDocks([docks[next(iter(_SIDE))]], [round(_SHARE_SIDE * window.width())], Qt.Orientation.Horizontal)
    for name in (next(iter(_SIDE)), _FIRST):
        docks[name].raise_()
    set_north_up(viewer)
    keeper_of(viewer).offered.connect(lambda _path: docks[_KEPT].raise_())
    for path in sessions:
        docks[_KEPT].widget().take_up(path)
    shown_of = [part.path for layer in cube_layers(viewer) for part in kmos_of(layer).parts]
    if len(shown_of) > len(set(shown_of)):
        show_names_soon(viewer)
    return viewer
