"""Choosing two layers: one that stays and one that moves."""

from __future__ import annotations

from collections.abc import Sequence

from napari.layers import Layer
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QWidget

from napari_kmos._napari.layers import kmos_of


class PairEdit(QWidget):
    """Two lists of layers, by name; the file is in the tooltip."""

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.boxes = QComboBox(), QComboBox()
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        for box, label in zip(self.boxes, ("Reference", "Moving"), strict=True):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.activated.connect(self._on_activated)
            form.addRow(label, box)

    @property
    def reference(self) -> Layer | None:
        """The layer that stays."""
        return self.boxes[0].currentData()

    @property
    def moving(self) -> Layer | None:
        """The layer that moves."""
        return self.boxes[1].currentData()

    def show_layers(self, layers: Sequence[Layer], pair: tuple[Layer | None, Layer | None]) -> None:
        """Offer these layers, with two of them chosen; does not tell."""
        for box, chosen in zip(self.boxes, pair, strict=True):
            with QSignalBlocker(box):
                box.clear()
                for layer in layers:
                    box.addItem(layer.name, layer)
                    box.setItemData(box.count() - 1, str(kmos_of(layer).path), Qt.ItemDataRole.ToolTipRole)
                box.setCurrentIndex(box.findData(chosen))

    def _on_activated(self, _index: int) -> None:
        self.chosen.emit()
