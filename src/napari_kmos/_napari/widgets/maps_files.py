"""What the dock *Maps* writes: the maps, and parts of the cube."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QVBoxLayout, QWidget

from napari_kmos._napari.widgets.files import PathField
from napari_kmos._napari.widgets.parts import button, row_of

ALL = "all"
IN_LINE, IN_PLOT = "line window", "range of the plot"
ON_SCREEN, DRAWN = "on the screen", "in the drawn shape"
_LETTERS = 10


class MapsFiles(QWidget):
    """Folder and button for the maps; what is kept of the cube, and the button that cuts it."""

    write_requested = Signal()
    crop_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.out_dir = PathField("Folder for the maps", placeholder="folder for the maps")
        self.overwrite = QCheckBox("replace")
        self.overwrite.setToolTip("Replace files that exist")
        self.wave, self.sky = QComboBox(), QComboBox()
        self.wave.addItems([ALL, IN_LINE, IN_PLOT])
        self.wave.setToolTip("Wavelengths to keep")
        self.sky.addItems([ALL, ON_SCREEN, DRAWN])
        for box in (self.wave, self.sky):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(_LETTERS)
        self.sky.setToolTip("Part of the sky to keep; in the drawn shape: the box about what was drawn last as a shape")
        write = button("Write maps", "Write the maps of this cube as FITS images", self.write_requested.emit)
        cut = button("Cut cube…", "Write these wavelengths of this part of the cube", self.crop_requested.emit)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row_of(self.out_dir, self.overwrite, write))
        column.addLayout(row_of(QLabel("Keep"), self.wave, self.sky, cut))
