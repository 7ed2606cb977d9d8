"""Where stars come from: the mouse, a finder, a catalogue, files."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_kmos._napari.widgets.aperture_files import ApertureFiles
from napari_kmos._napari.widgets.parts import button, number, row_of
from napari_kmos._napari.widgets.remembered import Remembered
from napari_kmos.session import Session
from napari_kmos.stars import FindParameters

_WIDTH = 84


class StarSources(QWidget):
    """Buttons, and how far a star stands out that is found.

    Parameters
    ----------
    session : Session
        Knows the files of apertures.
    add : callable
        Given the kind of what clicks add from now on.
    remove, find, take_catalogue : callable
        What the buttons do.
    """

    def __init__(
        self,
        session: Session,
        *,
        add: Callable[[str], None],
        remove: Callable[[], None],
        find: Callable[[], None],
        take_catalogue: Callable[[], None],
    ) -> None:
        super().__init__()
        tip = "How far the stars stand out that Find adds, in sigma of the white light"
        self.threshold = number(1, 1000, FindParameters().threshold, unit=" sigma", step=1, tip=tip)
        self.threshold.setMinimumWidth(_WIDTH)
        self.remembered = Remembered(session, "find", {"threshold": self.threshold})
        self.files = ApertureFiles(session)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(
            row_of(
                button("Add stars", "Then click on stars; drag one to move it", lambda: add("star")),
                button("Add sky areas", "Then click where the sky is empty", lambda: add("sky")),
                button("Remove", "Remove the selected apertures", remove),
            )
        )
        column.addLayout(
            row_of(
                button("Find stars", "Add the stars of the visible cubes that are not there yet", find),
                self.threshold,
                button("From catalogue", "Add the sources of the catalogue that is shown", take_catalogue),
            )
        )
        column.addWidget(self.files)
