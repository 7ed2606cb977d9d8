"""The button *View*: what can be asked of the whole viewer, a row an action."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMenu, QPushButton

from napari_kmos._napari import commands, labels, splitting
from napari_kmos._napari.errors import notified
from napari_kmos._napari.frames import SHEET
from napari_kmos._napari.positions import layout_of


@dataclass(frozen=True, kw_only=True)
class Action:
    """A row of the menu.

    Parameters
    ----------
    text, tip : str
        What it says, and what it does.
    run : callable
        Called with the viewer.
    is_on : callable, optional
        Tells of a viewer whether the row is ticked; without it there is no tick.
    """

    text: str
    tip: str
    run: Callable[[Viewer], None]
    is_on: Callable[[Viewer], bool] | None = None


ACTIONS = (
    Action(text="North up", tip="North up, east left, everything in view", run=commands.set_north_up),
    Action(
        text="Contact sheet",
        tip="Draw the IFUs side by side, not where they are on the sky",
        run=commands.switch_layout,
        is_on=lambda viewer: layout_of(viewer) == SHEET,
    ),
    Action(
        text="Outlines and names",
        tip="Outline the IFUs, with the names of their targets",
        run=labels.switch_names,
        is_on=labels.are_shown,
    ),
    Action(
        text="Split exposure",
        tip="Make a layer of each IFU of the exposure that the active layer shows as a whole",
        run=splitting.split_layer,
    ),
    Action(
        text="Join exposure",
        tip="Make one layer of the IFUs of the exposure that the active layer belongs to",
        run=splitting.join_exposure,
    ),
    Action(
        text="Catalogue…",
        tip="Lay the sources of a table over the cubes",
        run=lambda viewer: viewer.window.add_plugin_dock_widget("napari-kmos", "Catalogue"),
    ),
    Action(
        text="Contrast of what is on screen",
        tip="Take the contrast limits of each image from the part of it that is on the screen",
        run=commands.stretch_to_screen,
    ),
)


class ViewMenu(QPushButton):
    """Button with the actions; what they say of the viewer is looked up when the menu opens."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__("View")
        self._viewer = viewer
        self.setToolTip("Ways to look at the cubes")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        self.rows = {action.text: self._row(menu, action) for action in ACTIONS}
        menu.aboutToShow.connect(self.show_state)
        self.setMenu(menu)

    def show_state(self) -> None:
        """Tick what is on."""
        for action in ACTIONS:
            if action.is_on is not None:
                self.rows[action.text].setChecked(action.is_on(self._viewer))

    def _row(self, menu: QMenu, action: Action):
        row = menu.addAction(action.text)
        row.setToolTip(action.tip)
        row.setCheckable(action.is_on is not None)
        row.triggered.connect(lambda _=False: self._run(action))
        return row

    def _run(self, action: Action) -> None:
        with notified():
            action.run(self._viewer)
        self.show_state()
