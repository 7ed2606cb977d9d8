"""What the preview of the sky subtraction shows: one IFU of an object exposure, and which sky it takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QSizePolicy, QWidget

from napari_kmos._napari.widgets.parts import row_of
from napari_kmos.cube import Cube
from napari_kmos.sky import PICKS

_PICKS = {
    "nearest": "nearest in time",
    "best": "best: the one that leaves least",
    "interpolate": "interpolated in time between two",
}

_TIPS = (
    "The object exposure that is looked at; all of the list are subtracted",
    "The IFU that is looked at; all are subtracted",
    "Which of the sky exposures is taken, here and when all are subtracted",
)


class SkyChoice(QWidget):
    """Fields for exposure, IFU and sky."""

    #: Another exposure is looked at.
    target_changed = Signal()
    #: Another IFU or sky.
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.target, self.ifu, self.sky = (_combo(tip) for tip in _TIPS)
        _refill(self.sky, [(_PICKS[pick], pick) for pick in PICKS])
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Object", row_of(self.target, self.ifu))
        form.addRow("Sky", self.sky)
        self.target.currentIndexChanged.connect(lambda _: self.target_changed.emit())
        for combo in (self.ifu, self.sky):
            combo.currentIndexChanged.connect(lambda _: self.changed.emit())

    def show_files(self, objects: Sequence[Path], skies: Sequence[Path]) -> None:
        """Offer these files; what is chosen stays if it is still there. Does not tell."""
        with QSignalBlocker(self.target), QSignalBlocker(self.sky):
            _refill(self.target, [(path.name, path) for path in objects])
            _refill(self.sky, [(f"only {path.name}", path) for path in skies], first=len(PICKS))

    def show_cubes(self, cubes: Sequence[Cube]) -> None:
        """Offer the IFUs of an exposure; the same number stays chosen. Does not tell."""
        with QSignalBlocker(self.ifu):
            _refill(self.ifu, [(cube.label, cube.ifu) for cube in cubes])

    def choose_ifu(self, ifu: int | None) -> None:
        """Look at another IFU, if it is there."""
        if (index := _index_of(self.ifu, ifu)) >= 0:
            self.ifu.setCurrentIndex(index)

    def pick(self) -> str:
        """Return how one of several skies is chosen."""
        return PICKS[self.sky.currentIndex()] if self.sky.currentIndex() < len(PICKS) else PICKS[0]

    def skies(self, skies: Sequence[Path]) -> tuple[Path, ...]:
        """Return which of the sky exposures are used: all, or the one that is chosen."""
        chosen = self.sky.currentData()
        return (chosen,) if isinstance(chosen, Path) else tuple(skies)


def _combo(tip: str) -> QComboBox:
    """Make a list that does not grow with the names in it."""
    combo = QComboBox()
    combo.setToolTip(tip)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(8)
    return combo


def _index_of(combo: QComboBox, data: object) -> int:
    return next((index for index in range(combo.count()) if combo.itemData(index) == data), -1)


def _refill(combo: QComboBox, items: Sequence[tuple[str, object]], first: int = 0) -> None:
    """Replace all items from one on, the chosen one still chosen if it is there."""
    before = combo.currentData()
    while combo.count() > first:
        combo.removeItem(combo.count() - 1)
    for text, data in items:
        combo.addItem(text, data)
        combo.setItemData(combo.count() - 1, str(data) if isinstance(data, Path) else text, Qt.ItemDataRole.ToolTipRole)
    combo.setCurrentIndex(max(_index_of(combo, before), 0 if combo.count() else -1))
