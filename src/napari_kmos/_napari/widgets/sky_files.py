"""Files of the sky subtraction, and the buttons that do it for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_kmos._napari.widgets.engine_edit import EngineEdit
from napari_kmos._napari.widgets.files import FileList, PathField
from napari_kmos._napari.widgets.parts import Scrolled, button, row_of
from napari_kmos.recipes.esorex_sky import OWN_OPTIONS, RECIPE, SHARED

_ENGINE = (
    "ESO's kmos_sky_tweak takes for each object the sky nearest in time as it is, stars and all; of the parameters "
    f"under Method it has {', '.join(SHARED)}. What is seen here is done by the native engine"
)


class SkyFilesPage(QWidget):
    """Object and sky exposures, folder, and what is done with all of them.

    Parameters
    ----------
    open_paths : callable
        Returns the files that are open in the viewer.
    """

    run_requested = Signal()
    second_pass_requested = Signal()

    def __init__(self, open_paths: Callable[[], Sequence[Path]]) -> None:
        super().__init__()
        self.objects, self.skies = FileList(open_paths), FileList(open_paths)
        self.out_dir = PathField("Folder for the products", placeholder="folder for the products")
        self.overwrite = QCheckBox("Replace products that exist")
        self.engine = EngineEdit(RECIPE, elsewhere={*OWN_OPTIONS, *SHARED}, tip=_ENGINE)
        self.run_button = button(
            "Subtract sky", "From all object exposures, in the background; the results come as layers",
            self.run_requested.emit,
        )  # fmt: skip
        self.second_button = button(
            "Second pass", "Subtract what is left, as found in the emptier IFUs, from the products of the last run; "
            "without one from the object exposures, if their sky is gone", self.second_pass_requested.emit,
        )  # fmt: skip
        chosen = QWidget()
        column = QVBoxLayout(chosen)
        column.setContentsMargins(0, 4, 0, 0)
        for title, files in (("Object exposures", self.objects), ("Sky exposures", self.skies)):
            column.addWidget(QLabel(title))
            column.addWidget(files)
        form = QFormLayout()
        form.addRow("Engine", self.engine)
        form.addRow("Products", self.out_dir)
        form.addRow("", self.overwrite)
        column.addLayout(form)
        column.addStretch()
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(Scrolled(chosen), stretch=1)
        whole.addLayout(row_of(self.run_button, self.second_button))

    def how(self) -> dict[str, Any]:
        """Return what holds for all files."""
        return {**self.engine.chosen(), "overwrite": self.overwrite.isChecked()}
